"""One Tune trial on one lane: the actor is kept, the trials change."""

from __future__ import annotations

import time
import traceback
from typing import TYPE_CHECKING, Any

from ray import tune

from tuner.context import Context
from tuner.errors import Diverged, Infeasible, LaneBroken
from tuner.outcome import Outcome, State, outcome_to_json
from tuner.search.objectives import violated
from tuner.training.job import Job

if TYPE_CHECKING:
    from tuner.lane import Lane
    from tuner.training.trial import Point, Report

REPORT_SECONDS = 1.0
"""Epochs shorter than this share a result: each one that Tune handles costs its driver some 15 ms,
during which the lane stands still. A rung always ends a result."""


class LaneTrainable(tune.Trainable):  # type: ignore[misc]
    """Keeps one lane warm for all trials that Tune sends here.

    A trial that ends by itself, well or not, says so in its last result; only a broken lane is
    raised, so that Tune starts the trial again elsewhere and it goes on from its checkpoint.
    """

    _context: Context
    _lane: Lane | None = None
    _number: int
    _job: Job | None
    """What the next step starts with; None once it has started."""
    _last: Report | None
    _untold: list[Point]
    """Epochs that no result has told yet."""
    _costs: dict[str, float]
    """Of the trial's model, once it is built."""
    _rungs: frozenset[int]
    """Epochs at which the scheduler judges this trial."""

    def setup(self, config: dict[str, Any], context: Context) -> None:
        self._context = context
        self._take(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        if self._lane is not None:
            # A trial that Tune stopped is told only by the next one's coming.
            self._lane.stop()
        self._take(new_config)
        return True

    def step(self) -> dict[str, Any]:
        try:
            if self._lane is None:
                # Not above: the driver imports this class, and should not import torch with it.
                from tuner.lane import open_lane

                self._lane = open_lane(self._context.resources)
            if self._job is not None:
                self._lane.start(self._job)
                self._untold = self._lane.curve()
                self._job = None
                self._weigh(self._lane)
            return self._epochs(self._lane)
        except LaneBroken:
            raise
        except Diverged as end:
            return self._over(State.DIVERGED, str(end))
        except Infeasible as end:
            return self._over(State.INFEASIBLE, str(end))
        except Exception as bug:  # a trial's own mistake must end that trial, not the sweep
            told = self._over(State.FAILED, f"{type(bug).__name__}: {_first_line(bug)}")
            return told | {"traceback": traceback.format_exc()}

    def _weigh(self, lane: Lane) -> None:
        """Ends a trial before it costs anything if its model is larger or slower than allowed."""
        self._costs = lane.costs(self._context.latency)
        broken = violated(self._context.constraints, self._costs)
        if broken:
            said = "; ".join(f"{c} does not hold: {self._costs[c.name]:.6g}" for c in broken)
            raise Infeasible(said)

    def _epochs(self, lane: Lane) -> dict[str, Any]:
        """Trains to the next rung, to the trial's end, or for a while."""
        begin = time.monotonic()
        while True:
            report = self._last = lane.epoch()
            self._untold.append((report.epoch, report.metrics))
            if report.ended:
                return self._over(State.COMPLETE, report.ended)
            if report.epoch in self._rungs or time.monotonic() - begin >= REPORT_SECONDS:
                return self._result(report)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: a trial's checkpoints lie under its number, where every retry looks."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing: see `save_checkpoint`."""

    def cleanup(self) -> None:
        if self._lane is not None:
            # Tune does not say whether the trial is over or the sweep interrupted.
            self._lane.save()
            self._lane.close()

    def _take(self, config: dict[str, Any]) -> None:
        self._number = config["number"]
        self._last = None
        self._untold = []
        self._costs = {}
        self._rungs = frozenset(config["rungs"])
        self._job = self._context.job(config["number"], config["values"])

    def _result(self, report: Report) -> dict[str, Any]:
        return {
            "number": self._number,
            "epoch": report.epoch,
            "best": report.best,
            "best_epoch": report.best_epoch,
            "seconds": report.seconds,
            "metrics": report.best_metrics,
            "note": self._lane.note() if self._lane else "",
            "costs": self._costs,
        } | self._told()

    def _told(self) -> dict[str, Any]:
        curve, self._untold = self._untold, []
        return {"curve": curve}

    def _over(self, state: State, reason: str) -> dict[str, Any]:
        last = self._last
        outcome = Outcome(
            state=state,
            reason=reason,
            value=last.best if last else None,
            best_epoch=last.best_epoch if last else None,
            epochs=last.epoch if last else 0,
            seconds=last.seconds if last else 0.0,
            metrics=last.best_metrics if last else {},
            note=self._lane.note() if self._lane else "",
            costs=self._costs,
        )
        known = self._result(last) if last else {"number": self._number, "epoch": 0, **self._told()}
        return {**known, "outcome": outcome_to_json(outcome), "done": True}


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]
