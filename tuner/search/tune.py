"""Ray Tune's searcher and scheduler as thin doors to one `Search`.

Tune's dict for a trial is {"number": …, "values": {…}, "rungs": […]}. The trainable reports
`epoch`, `best`, `best_epoch`, `seconds`, `metrics`, `note` and `costs`, and `outcome` with the last
result of a trial that ended by itself. Tune flattens nested results before either of these classes
sees them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ray.air._internal import usage
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from tuner.outcome import Outcome, State, outcome_from_json
from tuner.search.records import Suggestion
from tuner.search.study import Search


class TuneSearcher(Searcher):  # type: ignore[misc]  # ray is untyped
    """Suggests unfinished trials first, then new ones until a limit or a deadline.

    Args:
        search: The study.
        limit: Trials that the whole sweep may have, those of earlier runs included.
        is_over: Whether the sweep's time is up.
    """

    def __init__(self, search: Search, limit: int, is_over: Callable[[], bool]) -> None:
        super().__init__()
        self._search, self._limit, self._is_over = search, limit, is_over
        self._left = search.unfinished()
        self._numbers: dict[str, int] = {}
        self.errors: dict[int, str] = {}
        """Number → last line of the trial's latest error; the scheduler hears it, not Tune's
        searcher."""

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its own state, which is never read again."""
        return {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial as Tune's dict, or FINISHED."""
        suggestion = self._next()
        if suggestion is None:
            finished: str = Searcher.FINISHED
            return finished
        self._numbers[trial_id] = suggestion.number
        return {
            "number": suggestion.number,
            "values": suggestion.values,
            "rungs": list(self._search.rungs(suggestion.number)),
        }

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tells the study, unless the scheduler did or the trial was only interrupted."""
        number = self._numbers[trial_id]
        if self._search.outcome(number) is not None:
            return
        if error:
            line = self.errors.get(number, "the trial's process was lost")
            self._search.tell(number, Outcome(state=State.FAILED, reason=line))
            return
        told = nested(result or {}, "outcome")
        if told:
            self._search.tell(number, outcome_from_json(told))

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing: the study is on disk, and no pickle of ours is ever written."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing, as `save_to_dir`."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: a resumed sweep opens the study."""

    def _next(self) -> Suggestion | None:
        if self._is_over():
            return None
        if self._left:
            return self._left.pop(0)
        return None if self._search.num_suggested >= self._limit else self._search.ask()


class TuneScheduler(FIFOScheduler):  # type: ignore[misc]  # ray is untyped
    """Runs trials in the order of their numbers, and stops those that the study gives up.

    Args:
        search: The study.
        searcher: Hears what errors said.
        is_over: Whether the sweep's time is up; then a trial ends with its next result.
        lanes: Trials that run at once, each in an actor that is kept for the next one.
        trial_hours: Hours of training that a trial may have; None for no limit.
    """

    _supports_buffered_results = False

    def __init__(
        self,
        search: Search,
        searcher: TuneSearcher,
        is_over: Callable[[], bool],
        lanes: int,
        trial_hours: float | None = None,
    ) -> None:
        super().__init__()
        self._trial_hours = math.inf if trial_hours is None else trial_hours
        self._search, self._searcher, self._is_over = search, searcher, is_over
        self._lanes_to_keep = lanes

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its own state, which is never read again."""
        return {}

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Has Tune keep every lane warm.

        Under a search algorithm no trial waits when one ends, and Tune then keeps a single actor
        idle: of two lanes that end together it stops one, and the next trial pays for a new one
        some four seconds later.
        """
        if self._lanes_to_keep:
            cache, key = tune_controller._actor_cache, trial.placement_group_factory
            cache.increase_max(key, by=self._lanes_to_keep)
            self._lanes_to_keep = 0

    def on_trial_result(self, tune_controller: object, trial: Trial, result: dict[str, Any]) -> str:
        """Stops a trial at a rung, at the deadline or at its own, and tells the study at once."""
        number: int = trial.config["number"]
        if nested(result, "outcome") or self._search.outcome(number) is not None:
            return str(TrialScheduler.CONTINUE)
        best: float = result["best"]
        epoch: int = result["epoch"]
        known = math.isfinite(best)
        if known and self._search.epoch(number, epoch, best):
            state, reason = State.PRUNED, f"stopped at the rung of epoch {epoch} with {best:.6g}"
        elif self._is_over():
            state, reason = State.TIMEOUT, f"the sweep's hours were over after epoch {epoch}"
        elif result["seconds"] > 3600 * self._trial_hours:
            reason = f"its own {self._trial_hours:g} hours were over after epoch {epoch}"
            state = State.TIMEOUT
        else:
            return str(TrialScheduler.CONTINUE)
        outcome = Outcome(
            state=state,
            value=best if known else None,
            best_epoch=result["best_epoch"] if known else None,
            epochs=epoch,
            seconds=result["seconds"],
            reason=reason,
            metrics=nested(result, "metrics") if known else {},
            note=result["note"],
            costs=nested(result, "costs"),
        )
        self._search.tell(number, outcome)
        return str(TrialScheduler.STOP)

    def on_trial_error(self, tune_controller: object, trial: Trial) -> None:
        """Keeps the error's last line, should Tune give the trial up."""
        if trial.error_file and Path(trial.error_file).exists():
            lines = Path(trial.error_file).read_text(encoding="utf-8").split("\n")
            said = [line.strip() for line in lines if line.strip()]
            if said:
                self._searcher.errors[trial.config["number"]] = said[-1]

    def debug_string(self) -> str:
        """One line for Tune's own display."""
        return f"{self._search.num_suggested} trials suggested"


def skip_telemetry() -> None:
    """Has Tune not count our callbacks for its usage statistics, which are off.

    To tell them from its own it would import MLflow, comet and wandb before the first trial.
    """
    usage.tag_callbacks = lambda callbacks: False


def nested(result: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A mapping inside a result, whether Tune has flattened it or not; empty when absent."""
    if isinstance(result.get(key), Mapping):
        return dict(result[key])
    prefix = f"{key}/"
    flat = {k.removeprefix(prefix): v for k, v in result.items() if k.startswith(prefix)}
    for inner in ("metrics", "costs"):
        if inner not in flat and any(k.startswith(f"{inner}/") for k in flat):
            found = nested(flat, inner)
            flat = {k: v for k, v in flat.items() if not k.startswith(f"{inner}/")}
            flat[inner] = found
    return flat
