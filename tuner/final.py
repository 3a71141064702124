"""Lanes for what follows the search: they train fresh seeds, and score final models."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayActorError
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from tuner.context import Context
from tuner.errors import Diverged, Infeasible, LaneBroken
from tuner.files import write_text
from tuner.home import FINALS
from tuner.interruption import Interruption
from tuner.outcome import Outcome, State
from tuner.search.records import TrialRecord

if TYPE_CHECKING:
    from tuner.lane import Lane

_RESTARTS = 3
"""Of a lane whose process, or one of whose ranks, is gone."""
_LOOK_SECONDS = 0.5
"""Between looks whether a signal came."""


@dataclass(frozen=True, kw_only=True)
class Final:
    """One model beside the search's own: a trial's configuration under a fresh seed or its own."""

    record: TrialRecord
    seed: int | None = None
    """None for the trial's own."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One piece of work for a lane, and who wants to know."""

    method: str
    arguments: tuple[Any, ...]
    done: Callable[[Any], None]


class FinalLane:
    """A lane in a process of its own, which trains and scores one model after another."""

    _lane: Lane

    def __init__(self, context: Context) -> None:
        # In the lane's process alone: the driver does without torch.
        from tuner.lane import open_lane

        self._context = context
        self._lane = open_lane(context.resources)

    def ready(self) -> None:
        """Answers once the lane has its place."""

    def do(self, method: str, *arguments: Any) -> Any:
        """Calls a method; Ray starts the process anew, and calls again, if a rank is gone."""
        try:
            return getattr(self, method)(*arguments)
        except LaneBroken:
            os._exit(1)

    def train(self, final: Final) -> Outcome:
        """Trains a trial's configuration on a fresh seed, as the trial was trained: with its full
        budget, or for as long as it had when it was stopped."""
        record, trial = final.record, final.record.outcome
        assert trial is not None
        until = None if trial.state is State.COMPLETE else trial.epochs
        job = self._context.job(record.number, record.values, seed=final.seed, until=until)
        report = None
        try:
            self._lane.start(job)
            while report is None or not report.ended:
                report = self._lane.epoch()
            state, reason = State.COMPLETE, report.ended
        except LaneBroken:
            raise
        except Diverged as end:
            state, reason = State.DIVERGED, str(end)
        except Infeasible as end:
            state, reason = State.INFEASIBLE, str(end)
        except Exception as bug:  # one model's mistake must not end the sweep
            state, reason = State.FAILED, f"{type(bug).__name__}: {bug}".partition("\n")[0]
        return Outcome(
            state=state,
            reason=reason,
            value=report.best if report else None,
            best_epoch=report.best_epoch if report else None,
            epochs=report.epoch if report else 0,
            seconds=report.seconds if report else 0.0,
            metrics=report.best_metrics if report else {},
        )

    def score(self, final: Final, outcome: Outcome, folds: bool, tested: bool) -> dict[str, float]:
        """Metrics on the test split of the model that an outcome stands for, and its exhibits.

        After cross-validation it is a new one, trained on all training rows for the mean of the
        folds' best epochs; otherwise it is the best weights of that training. Without a test split
        there are exhibits on validation rows alone.
        """
        from tuner.training.finish import finish

        assert outcome.best_epoch is not None
        refit_epochs = outcome.best_epoch if folds else None
        record = final.record
        job = self._context.job(record.number, record.values, refit_epochs, seed=final.seed)
        finish(self._lane, job, refit_epochs or outcome.epochs)
        if tested:
            return self._lane.evaluate("test")
        self._lane.evaluate("validation")
        return {}


class Scores:
    """What the test split says of trials' own final models, kept for all time.

    Args:
        folder: of the sweep.
        folds: whether final models are new ones, trained on all training rows.
        tested: whether there is a test split; else models only get their exhibits.
    """

    def __init__(self, folder: Path, *, folds: bool, tested: bool) -> None:
        self._file, self._folds, self._tested = folder / FINALS, folds, tested
        self._known: dict[str, dict[str, float]] = {}
        if self._file.exists():
            self._known = json.loads(self._file.read_text(encoding="utf-8"))

    def missing(self, records: Sequence[TrialRecord]) -> list[tuple[Final, Outcome]]:
        """The models of these trials that were not looked at yet, where there are any."""
        return [
            (Final(record=record), record.outcome)
            for record in records
            if str(record.number) not in self._known
            if record.outcome is not None and record.outcome.usable
        ]

    def call(
        self, final: Final, outcome: Outcome, keep: Callable[[Final, dict[str, float]], None]
    ) -> Call:
        """Has a lane score one model."""
        return Call(
            method="score",
            arguments=(final, outcome, self._folds, self._tested),
            done=lambda scores: keep(final, scores),
        )

    def keep(self, final: Final, scores: dict[str, float]) -> None:
        """Writes the scores of one model of a trial's own."""
        self._known[str(final.record.number)] = scores
        write_text(self._file, json.dumps(self._known, indent=1))


class FinalLanes:
    """Lanes like the search's, kept warm from call to call; to be entered.

    Args:
        context: of the sweep.
        most: Lanes that fit at once.
        interruption: Looked at between calls: raised inside Ray's own, it ends in a crash.
    """

    def __init__(self, context: Context, most: int, interruption: Interruption) -> None:
        self._context, self._most, self._interruption = context, most, interruption
        self._lanes: list[Any] = []
        self._groups: list[PlacementGroup] = []

    def __enter__(self) -> FinalLanes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for lane in self._lanes:
            # Else Ray would start them anew as soon as their place is gone.
            ray.kill(lane)
        for group in self._groups:
            remove_placement_group(group)

    def do(self, calls: Iterable[Call], number: int) -> None:
        """Does calls in their order, as many at once as there are lanes.

        Args:
            calls: One is taken when a lane is free for it.
            number: How many there are at most.

        Raises:
            LaneBroken: a call broke its lane again and again.
            Interrupted: a signal came.
        """
        with self._interruption.deferred():
            self._do(calls, number)

    def _do(self, calls: Iterable[Call], number: int) -> None:
        while len(self._lanes) < min(self._most, number):
            self._start()
        busy: dict[Any, tuple[Any, Call | None]] = {
            lane.ready.remote(): (lane, None) for lane in self._lanes
        }
        coming = iter(calls)
        call = next(coming, None)
        while call is not None or any(told for _, told in busy.values()):
            ready, _ = ray.wait(list(busy), num_returns=1, timeout=_LOOK_SECONDS)
            self._interruption.check()
            for future in ready:
                lane, told = busy.pop(future)
                try:
                    result = ray.get(future)
                except RayActorError as gone:
                    raise LaneBroken(f"a lane died {_RESTARTS + 1} times: {gone}") from gone
                if told is not None:
                    told.done(result)
                if call is not None:
                    busy[lane.do.remote(call.method, *call.arguments)] = lane, call
                    call = next(coming, None)

    def _start(self) -> None:
        resources = self._context.resources
        group = placement_group(resources.bundles(), strategy="PACK")
        self._groups.append(group)
        actor = ray.remote(FinalLane).options(
            num_cpus=resources.cpus_per_worker,
            num_gpus=resources.gpus_per_worker,
            max_restarts=_RESTARTS,
            max_task_retries=_RESTARTS,
            scheduling_strategy=PlacementGroupSchedulingStrategy(
                group,
                placement_group_bundle_index=0,
                placement_group_capture_child_tasks=True,
            ),
        )
        self._lanes.append(actor.remote(self._context))
