"""What a sweep shows while it runs: a live table on a terminal, a line per trial elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from tuner.outcome import Outcome, State

if TYPE_CHECKING:
    from rich.console import Group


@dataclass(frozen=True, kw_only=True)
class Running:
    """A trial in training."""

    number: int
    epoch: int
    epochs: int
    """Its full budget."""
    best: float | None


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a sweep is."""

    metric: str
    total: int
    states: Mapping[State, int]
    """Ended trials by state."""
    best: tuple[int, float] | None
    """Number and value of the best trial so far."""
    running: tuple[Running, ...]
    problem: str | None
    """Why nothing reaches the tracking server, if so."""
    waiting: str = ""
    """Why no trial is running, if so."""
    per_minute: float | None = None
    """Trials that end in a minute; None before the first did."""
    seconds_left: float | None = None
    """Until the last trial ends or the hours are over, at this pace; None where nothing tells."""

    @property
    def ended(self) -> int:
        """Trials that are over."""
        return sum(self.states.values())


class Display(Protocol):
    """Whoever wants to know how a sweep goes."""

    def message(self, text: str) -> None:
        """One step of the sweep begins."""

    def warning(self, text: str) -> None:
        """Something that does not stop the sweep."""

    def progress(self, progress: Progress) -> None:
        """An epoch was reported."""

    def ended(self, number: int, outcome: Outcome, progress: Progress) -> None:
        """A trial is over."""

    def repeated(
        self, number: int, seed: int, outcome: Outcome, metric: str, ended: int, total: int
    ) -> None:
        """A trial's configuration was trained again on a fresh seed, as one of several."""


class Silent:
    """Shows nothing: the default in Python."""

    def message(self, text: str) -> None:
        pass

    def warning(self, text: str) -> None:
        pass

    def progress(self, progress: Progress) -> None:
        pass

    def ended(self, number: int, outcome: Outcome, progress: Progress) -> None:
        pass

    def repeated(
        self, number: int, seed: int, outcome: Outcome, metric: str, ended: int, total: int
    ) -> None:
        pass


class Live:
    """Writes to stderr, so that stdout stays a result that can be piped."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._console = Console(stderr=True, highlight=False)
        self._begun = time.monotonic()
        self._table = (
            RichLive(console=self._console, refresh_per_second=4, transient=True)
            if self._console.is_terminal
            else None
        )

    def __enter__(self) -> Live:
        if self._table is not None:
            self._table.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Takes the table off the terminal, for what is to stay there."""
        if self._table is not None:
            self._table.stop()

    def message(self, text: str) -> None:
        self._line(f"{self._clock()}  {text}")

    def warning(self, text: str) -> None:
        self._line(f"{self._clock()}  warning: {text}")

    def progress(self, progress: Progress) -> None:
        if self._table is not None:
            self._table.update(self._picture(progress))

    def ended(self, number: int, outcome: Outcome, progress: Progress) -> None:
        value = "no value" if outcome.value is None else f"{progress.metric} {outcome.value:.5g}"
        star = " ★" if progress.best and progress.best[0] == number else ""
        self._line(
            f"{self._clock()}  trial {number}: {outcome.state}, {value}{star}, "
            f"{outcome.epochs} epochs, {outcome.seconds:.1f} s"
            + (f" ({outcome.reason})" if outcome.state is not State.COMPLETE else "")
            + f"  [{progress.ended}/{progress.total}]"
        )
        self.progress(progress)

    def repeated(
        self, number: int, seed: int, outcome: Outcome, metric: str, ended: int, total: int
    ) -> None:
        said = outcome.state if outcome.value is None else f"{metric} {outcome.value:.5g}"
        reason = f" ({outcome.reason})" if outcome.state is not State.COMPLETE else ""
        self._line(
            f"{self._clock()}  trial {number} on seed {seed}: {said}, "
            f"{outcome.seconds:.1f} s{reason}  [{ended}/{total}]"
        )

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def _clock(self) -> str:
        return clock(time.monotonic() - self._begun)

    def _picture(self, progress: Progress) -> Group:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        bar = ProgressBar(total=progress.total, completed=progress.ended, width=60)
        table = Table("trial", "epoch", f"best {progress.metric}", box=None, pad_edge=False)
        for trial in progress.running:
            best = "" if trial.best is None else f"{trial.best:.5g}"
            table.add_row(str(trial.number), f"{trial.epoch}/{trial.epochs}", best)
        head = Text(", ".join([*facts(progress), self._clock()]))
        parts: list[Text | ProgressBar | Table] = [head, bar, table]
        if progress.waiting:
            parts.append(Text(progress.waiting, style="yellow"))
        if progress.problem:
            parts.append(Text(f"tracking: {progress.problem}", style="yellow"))
        return Group(*parts)


def facts(progress: Progress) -> list[str]:
    """How far a sweep is, how fast it goes, and until when."""
    said = [f"{progress.ended}/{progress.total} trials"]
    said += [f"{n} {state.lower()}" for state, n in progress.states.items()]
    if progress.best:
        number, value = progress.best
        said.append(f"best {progress.metric} {value:.5g} of trial {number}")
    if progress.per_minute is not None:
        said.append(f"{progress.per_minute:.3g} a minute")
    if progress.seconds_left is not None:
        said.append(f"about {clock(progress.seconds_left)} left")
    return said


def clock(seconds: float) -> str:
    """Seconds as 1:02:03."""
    whole = int(seconds)
    return f"{whole // 3600:d}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
