"""Tells everyone who listens how a sweep goes: tracker, learning curves, display."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray import tune

from tuner.config import TrialConfig
from tuner.context import trial_folder, trial_key
from tuner.data.card import DataCard
from tuner.outcome import Outcome, State, outcome_from_json
from tuner.results import curve, report
from tuner.results.answer import answer, to_markdown
from tuner.results.interval import Interval
from tuner.results.leaderboard import Leaderboard
from tuner.results.live import Display, Progress, Running
from tuner.results.pace import Pace
from tuner.results.report.findings import Findings
from tuner.results.waiting import Waiting
from tuner.search.objectives import COSTS
from tuner.search.study import Search
from tuner.spec import SweepSpec
from tuner.tasks import _tables as tables
from tuner.tracking import views
from tuner.tracking.dataset import dataset
from tuner.tracking.records import Status
from tuner.tracking.tracker import Tracker
from tuner.training import checkpoint

SWEEP = "sweep"
"""Key of the parent run."""

_STATUS: Mapping[State, Status] = {
    State.COMPLETE: "FINISHED",
    State.PRUNED: "FINISHED",
    State.TIMEOUT: "FINISHED",
    State.DIVERGED: "FAILED",
    State.INFEASIBLE: "FAILED",
    State.FAILED: "FAILED",
    State.KILLED: "KILLED",
}
_SAME_FAILURES = 3
"""So many first trials that fail alike mean a mistake that all trials share."""


class Recorder(tune.Callback):  # type: ignore[misc]  # ray is untyped
    """The sweep's one listener in Tune; what it writes is found again after a crash.

    Args:
        between_steps: called where Tune is between two events, and may raise to end the search.
    """

    def __init__(
        self,
        spec: SweepSpec,
        folder: Path,
        search: Search,
        tracker: Tracker,
        display: Display,
        between_steps: Callable[[], None],
    ) -> None:
        self._spec, self._folder = spec, folder
        self._search, self._tracker, self._display = search, tracker, display
        self._between_steps = between_steps
        self._watch: Callable[[Sequence[Any]], None] | None = None
        self._running: dict[int, Running] = {}
        self._recorded: dict[int, int] = {}
        """Number → last epoch on its curve."""
        self._first: list[Outcome] = []
        self._closed: set[int] = set()
        self._states: Counter[State] = Counter()
        self._best: tuple[int, float] | None = None
        self._card: DataCard
        self._pace = Pace(spec.search.hours)
        self._waiting = Waiting(resources=spec.resources)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its own state, which is never read again."""
        return {}

    @property
    def hopeless(self) -> bool:
        """Whether the first trials all failed for one and the same reason."""
        return (
            len(self._first) == _SAME_FAILURES
            and {outcome.state for outcome in self._first} == {State.FAILED}
            and len({outcome.reason for outcome in self._first}) == 1
        )

    def watch(self, look: Callable[[Sequence[Any]], None]) -> None:
        """Has somebody look at Tune's trials between two events, who may raise to end it all."""
        self._watch = look

    def open(self, card: DataCard) -> None:
        """Opens the parent run, and closes what a crash left told but not recorded."""
        spec = self._spec
        self._tracker.run(
            SWEEP,
            spec.name,
            None,
            {
                "task": spec.task["name"],
                "metric": spec.metric,
                "sampler": spec.search.sampler,
                "scheduler": spec.search.scheduler,
                "seed": spec.search.seed,
                "workers": spec.resources.most,
            },
            {"state": State.RUNNING.value},
        )
        self._tracker.artifact(SWEEP, self._folder / "spec.json")
        self._tracker.artifact(SWEEP, self._folder / "data" / "card.json", "data")
        self._tracker.dataset(dataset(SWEEP, card))
        self._offer([path for path, p in spec.space.parameters.items() if p.domain.size != 1])
        self._card = card
        self.settle()

    def settle(self) -> None:
        """Closes the record of every trial that the study knows to be over."""
        for record in self._search.records():
            if record.outcome is None or record.number in self._closed:
                continue
            state = record.outcome.state.value
            if self._tracker.is_over(trial_key(record.number), "state", state):
                self._count(record.number, record.outcome)
            else:
                self._open_trial(record.number, record.values)
                self._close_trial(record.number, record.outcome, shown=False)

    def close(self, board: Leaderboard) -> None:
        """Closes the parent run with the result of the sweep."""
        best, default = board.best, board.default
        figures = {f"baseline/{b.name}": b.validation for b in board.baselines}
        tags = {"state": "FINISHED", "trials": json.dumps(board.counts())}
        if best is not None and best.value is not None:
            figures["best/value"] = best.value
            figures |= _best(best.metrics)
            tags["best_trial"] = str(best.number)
            if best.test is not None:
                figures[f"test/{board.metric}"] = best.test
        if default is not None and default.value is not None:
            figures["default/value"] = default.value
        if best is not None and best.interval is not None:
            figures |= _ends("best", best.interval)
            if best.test_interval is not None:
                figures |= _ends(f"test/{board.metric}", best.test_interval)
            if board.tied:
                tags["tied"] = ", ".join(str(row.number) for row in board.tied)
        for row in board.rows:
            if row.interval is not None:
                self._tracker.best(trial_key(row.number), _ends("seeds", row.interval))
            if row.test is not None:
                self._tracker.best(trial_key(row.number), {f"test/{board.metric}": row.test})
        if best is not None:
            self._show(best.number)
        self._tracker.best(SWEEP, {_legal(name): value for name, value in figures.items()})
        self._tracker.tags(SWEEP, tags)
        self._tracker.artifact(SWEEP, self._folder / "leaderboard.csv")
        found = Findings.of(self._spec, board, self._search.records(), self._card, self._folder)
        report.write(self._folder / report.FILE, found)
        self._tracker.artifact(SWEEP, self._folder / report.FILE)
        self._offer([parameter.path for parameter in found.searched])
        told = to_markdown(answer(board, found.importances))
        # First: the UI folds up what is long.
        self._tracker.description(SWEEP, f"{views.links()}\n{told}")
        self._tracker.end(SWEEP, "FINISHED")

    def _offer(self, searched: Sequence[str]) -> None:
        """Has MLflow's UI offer a view of the trials, which shows the first of these parameters."""
        spec = self._spec
        goals = [o.name if o.name in COSTS else f"best/{o.name}" for o in spec.objectives]
        state = views.trials(
            scores=list(map(_legal, goals)),
            maximize=spec.maximize,
            curve=_legal(curve.shown(spec.metric)),
            figures=[_legal(f"test/{spec.metric}"), "epochs", "seconds"],
            parameters=searched,
            permanent=[path for path in searched if spec.space.is_permanent(path)],
        )
        self._tracker.view(SWEEP, views.NAME, "Trials, best first", state)

    def _show(self, number: int) -> None:
        """Attaches what is to be looked at of the winner, to its own run and to the sweep's."""
        key, folder = trial_key(number), self._folder / trial_folder(number)
        tables.draw(folder)
        title = f"{self._spec.name}, trial {number}"
        norms = curve.draw_norms(folder, curve.read(folder), title)
        found = [*tables.written(folder), *([norms] if norms else [])]
        for path in found:
            self._tracker.artifact(key, path)
        for path in [*found, folder / curve.PICTURE]:
            self._tracker.artifact(SWEEP, path, "best")

    def abandon(self, status: Status) -> None:
        """Closes every open run of a sweep that stops before its end; resume opens them again."""
        for key in reversed(self._tracker.open_keys()):
            self._tracker.tags(key, {"state": status})
            self._tracker.end(key, status)

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        self._between_steps()
        if self._watch is not None:
            self._watch(trials)
        if self._waiting.look(trials):
            if self._waiting.reason:
                self._display.message(self._waiting.reason)
            self._display.progress(self._progress())

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        # Not before: importing MLflow would take the lanes' start a second.
        self._tracker.start()
        number = trial.config["number"]
        self._pace.start()
        self._open_trial(number, trial.config["values"])
        self._display.progress(self._progress())

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        number: int = result["number"]
        if (known := self._running.get(number)) and "best" in result:
            # Before the curve: MLflow's comparisons start with the metric that came first.
            best = {f"best/{self._spec.metric}": result["best"]}
            self._tracker.best(trial_key(number), best)
            self._running[number] = replace(known, epoch=result["epoch"], best=result["best"])
        for epoch, values in result["curve"]:
            self._point(number, epoch, values)
        if "traceback" in result:
            self._keep_error(number, result["traceback"])
        told = result.get("outcome")
        if told and self._search.outcome(number) is None:
            # Before anyone else: a trial that is shown as over must never run again.
            self._search.tell(number, outcome_from_json(told))
        if (outcome := self._search.outcome(number)) is not None:
            self._close_trial(number, outcome)
        else:
            self._display.progress(self._progress())

    def _point(self, number: int, epoch: int, values: Mapping[str, float]) -> None:
        """Records an epoch, unless it is one that a trial repeats or tells again after a crash."""
        if epoch <= self._recorded[number]:
            return
        self._recorded[number] = epoch
        named = {curve.shown(name): value for name, value in values.items()}
        self._tracker.metrics(trial_key(number), epoch, named)
        curve.append(self._folder / trial_folder(number), epoch, named)

    def _keep_error(self, number: int, text: str) -> None:
        folder = self._folder / trial_folder(number)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "error.txt").write_text(text, encoding="utf-8")

    def _open_trial(self, number: int, values: Mapping[str, Any]) -> None:
        config = TrialConfig.from_values(values, self._spec.task)
        kind = {"kind": "default"} if number == 0 else {}
        self._tracker.run(
            trial_key(number),
            trial_key(number),
            SWEEP,
            config.to_values(),
            {"state": State.RUNNING.value, "trial": str(number), **kind, **views.UNFOLDED},
        )
        self._running[number] = Running(
            number=number, epoch=0, epochs=config.training.epochs, best=None
        )
        epochs = curve.read(self._folder / trial_folder(number)).get("epoch", [])
        self._recorded[number] = int(epochs[-1]) if epochs else 0

    def _close_trial(self, number: int, outcome: Outcome, *, shown: bool = True) -> None:
        self._count(number, outcome)
        key, folder = trial_key(number), self._folder / trial_folder(number)
        figures = _best(outcome.metrics)
        figures |= {"epochs": outcome.epochs, "seconds": outcome.seconds} | outcome.costs
        if outcome.best_epoch is not None:
            figures["best/epoch"] = outcome.best_epoch
        self._tracker.best(key, {_legal(name): value for name, value in figures.items()})
        note = {"note.gradients": outcome.note} if outcome.note else {}
        self._tracker.tags(key, {"state": outcome.state.value, "reason": outcome.reason, **note})
        if columns := curve.read(folder):
            title = f"{self._spec.name}, trial {number}: {outcome.state.value.lower()}"
            self._tracker.artifact(key, curve.draw(folder, columns, self._spec.metric, title))
        if (folder / "error.txt").exists():
            self._tracker.artifact(key, folder / "error.txt")
        self._tracker.end(key, _STATUS[outcome.state])
        checkpoint.delete_epochs(folder)
        if shown:
            self._pace.end()
            self._display.ended(number, outcome, self._progress())

    def _count(self, number: int, outcome: Outcome) -> None:
        self._closed.add(number)
        self._running.pop(number, None)
        self._states[outcome.state] += 1
        if len(self._first) < _SAME_FAILURES:
            self._first.append(outcome)
        if not outcome.usable or outcome.value is None:
            return
        sign = 1 if self._spec.maximize else -1
        if self._best is None or sign * outcome.value > sign * self._best[1]:
            self._best = (number, outcome.value)

    def _progress(self) -> Progress:
        left = self._spec.search.trials - sum(self._states.values())
        return Progress(
            metric=self._spec.metric,
            total=self._spec.search.trials,
            states=dict(self._states),
            best=self._best,
            running=tuple(self._running.values()),
            problem=self._tracker.problem,
            waiting=self._waiting.reason,
            per_minute=self._pace.per_minute(),
            seconds_left=self._pace.seconds_left(max(0, left)),
        )


def _ends(prefix: str, interval: Interval) -> dict[str, float]:
    """A mean over fresh seeds with its interval, as metrics."""
    return {f"{prefix}/{end}": getattr(interval, end) for end in ("mean", "low", "high")}


def _best(metrics: Mapping[str, float]) -> dict[str, float]:
    """What tables show of the best epoch: its scores, not what training was doing."""
    return {
        f"best/{name}": value
        for name, value in metrics.items()
        if curve.shown(name) == f"validation/{name}"
    }


def _legal(name: str) -> str:
    """A metric's name in the letters that MLflow takes."""
    return "".join(c if c.isalnum() or c in "/_-. " else "_" for c in name)
