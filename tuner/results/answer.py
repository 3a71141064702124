"""The answer of a sweep in a few facts: the same on its page, in MLflow and wherever else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tuner.markdown import plain
from tuner.plots.markup import number
from tuner.results.leaderboard import Leaderboard, Row

_MOST = 5
"""Parameters named as those that mattered."""


@dataclass(frozen=True)
class Fact:
    """One line of the answer."""

    name: str
    figure: str
    """The number that it comes down to; empty where there is none."""
    text: str


def answer(board: Leaderboard, importances: Mapping[str, float]) -> list[Fact]:
    """Winner, honest lines, what mattered, what it cost; plain text."""
    facts = [_winner(board)]
    if (seeds := _seeds(board)) is not None:
        facts.append(seeds)
    facts += [
        Fact(f"Naive baseline: {b.name}", number(b.validation), _tested("", b.test))
        for b in board.baselines
    ]
    if board.default is not None:
        facts.append(_default(board, board.default))
    if importances:
        shares = list(importances.items())[:_MOST]
        text = ", ".join(f"{path} {share:.0%}" for path, share in shares)
        facts.append(Fact("What mattered", "", text))
    facts.append(_cost(board))
    return facts


def to_markdown(facts: Iterable[Fact]) -> str:
    """The facts as a list, their texts escaped."""
    lines = []
    for fact in facts:
        told = "; ".join(plain(part) for part in (fact.figure, fact.text) if part)
        lines.append(f"- **{plain(fact.name)}:** {told}")
    return "\n".join(lines) + "\n"


def duration(seconds: float) -> str:
    """Seconds as one reads them."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def states(board: Leaderboard) -> str:
    """Trials by state, in words."""
    counts = ", ".join(f"{n} {state.lower()}" for state, n in board.counts().items())
    return f"{_plural(len(board.rows), 'trial')} ({counts})" if counts else "no trials"


def _winner(board: Leaderboard) -> Fact:
    best = board.best
    if best is None:
        reasons = [f"{row.state.lower()}: {row.reason}" for row in board.rows if row.reason]
        most = max(set(reasons), key=reasons.count) if reasons else "nothing has ended yet"
        return Fact("Winner", "none", f"No trial has a usable model; {most}")
    text = f"Trial {best.number}, validation {board.metric}"
    if best.best_epoch is not None:
        text += f" at epoch {best.best_epoch} of {best.epochs}"
    return Fact("Winner", number(best.value), _tested(text, best.test))


def _seeds(board: Leaderboard) -> Fact | None:
    """What the winner reaches on fresh seeds, and whether that tells it from others."""
    best = board.best
    if best is None or best.interval is None:
        return None
    mean = best.interval
    text = (
        f"mean of {len(mean.values)} fresh seeds, 95 % interval {number(mean.low)} … "
        f"{number(mean.high)}"
    )
    if (test := best.test_interval) is not None:
        text += f"; on test data {number(test.mean)} ({number(test.low)} … {number(test.high)})"
    if board.tied:
        text += f". A tie with trial {', '.join(str(row.number) for row in board.tied)}"
    return Fact("On fresh seeds", number(mean.mean), text)


def _default(board: Leaderboard, default: Row) -> Fact:
    best = board.best
    if default.value is None:
        return Fact("Untuned default", "", f"Trial 0 {default.state.lower()}: {default.reason}")
    text = "Trial 0"
    if best is not None and best.value is not None:
        gain = (best.value - default.value) * (1 if board.maximize else -1)
        if best.number == 0:
            text += "; no other trial was better"
        else:
            text += f"; the search gained {number(gain, 3)}"
    return Fact("Untuned default", number(default.value), _tested(text, default.test))


def _cost(board: Leaderboard) -> Fact:
    seconds = sum(row.seconds for row in board.rows)
    return Fact("What it cost", duration(seconds), f"of training: {states(board)}")


def _tested(text: str, test: float | None) -> str:
    if test is None:
        return text
    return f"{text}; {number(test)} on test data" if text else f"{number(test)} on test data"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
