"""The doors to Tune, with trials made of paper."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher
from ray.tune.utils.object_cache import _ObjectCache

from search_spaces import Space
from tuner.outcome import Outcome, State, outcome_to_json
from tuner.search.config import SearchConfig
from tuner.search.study import Search
from tuner.search.tune import TuneScheduler, TuneSearcher, nested

GO_ON, STOP = TrialScheduler.CONTINUE, TrialScheduler.STOP
SPACE = Space.parse({"parameters": {"lr": {"float": [0, 1]}}}, lambda name: Space(parameters={}))


class Clock:
    over = False

    def __call__(self) -> bool:
        return self.over


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def search(tmp_path: Path) -> Any:
    made = Search(SPACE, SearchConfig(sampler="random"), tmp_path, "minimize", 9)
    yield made
    made.close()


def doors(search: Search, clock: Clock, limit: int = 9) -> tuple[TuneSearcher, TuneScheduler]:
    searcher = TuneSearcher(search, limit, clock)
    return searcher, TuneScheduler(search, searcher, clock, lanes=2)


def paper(number: int, error_file: Path | None = None) -> Any:
    return SimpleNamespace(config={"number": number}, error_file=error_file and str(error_file))


def result(epoch: int, best: float, **more: Any) -> dict[str, Any]:
    """As Tune flattens it."""
    return {
        "epoch": epoch,
        "best": best,
        "best_epoch": epoch,
        "seconds": 1.5,
        "metrics/mse": best,
        "note": "vanishing",
        **more,
    }


def test_suggests_up_to_the_limit(search: Search, clock: Clock) -> None:
    searcher, _ = doors(search, clock, limit=2)

    assert searcher.suggest("a") == {
        "number": 0,
        "values": SPACE.defaults(),
        "rungs": [1, 3],
    }
    assert searcher.suggest("b")["number"] == 1
    assert searcher.suggest("c") == Searcher.FINISHED


def test_unfinished_trials_come_first_under_their_numbers(search: Search, clock: Clock) -> None:
    asked = [search.ask() for _ in range(3)]
    search.tell(1, Outcome(state=State.COMPLETE, value=0.5))
    searcher, _ = doors(search, clock, limit=4)

    found = [searcher.suggest(name) for name in "abcd"]

    assert [f["number"] for f in found[:3]] == [0, 2, 3]
    assert asked[2] is not None and found[1]["values"] == asked[2].values
    assert found[3] == Searcher.FINISHED


def test_a_stopped_trial_is_told_at_once(search: Search, clock: Clock) -> None:
    searcher, scheduler = doors(search, clock)
    for name in "ab":
        searcher.suggest(name)

    assert scheduler.on_trial_result(None, paper(0), result(1, 0.2)) == GO_ON
    assert scheduler.on_trial_result(None, paper(1), result(1, 0.8)) == STOP
    searcher.on_trial_complete("b", result(1, 0.8, done=True))

    assert search.outcome(1) == Outcome(
        state=State.PRUNED,
        value=0.8,
        best_epoch=1,
        epochs=1,
        seconds=1.5,
        reason="stopped at the rung of epoch 1 with 0.8",
        metrics={"mse": 0.8},
        note="vanishing",
    )
    assert search.outcome(0) is None


def test_after_the_deadline_trials_end_with_their_best(search: Search, clock: Clock) -> None:
    searcher, scheduler = doors(search, clock)
    for name in "ab":
        searcher.suggest(name)
    assert scheduler.on_trial_result(None, paper(0), result(2, 0.2)) == GO_ON
    clock.over = True

    assert scheduler.on_trial_result(None, paper(0), result(4, 0.1)) == STOP
    assert scheduler.on_trial_result(None, paper(1), result(2, float("nan"))) == STOP

    outcome = search.outcome(0)
    assert outcome is not None and outcome.usable
    assert (outcome.state, outcome.value, outcome.epochs) == (State.TIMEOUT, 0.1, 4)
    assert outcome.reason == "the sweep's hours were over after epoch 4"
    assert search.outcome(1) == Outcome(
        state=State.TIMEOUT,
        epochs=2,
        seconds=1.5,
        reason="the sweep's hours were over after epoch 2",
        note="vanishing",
    )
    assert searcher.suggest("c") == Searcher.FINISHED


def test_a_trial_whose_own_hours_are_over_ends_with_its_best(search: Search, clock: Clock) -> None:
    searcher = TuneSearcher(search, 9, clock)
    scheduler = TuneScheduler(search, searcher, clock, lanes=2, trial_hours=0.5)
    searcher.suggest("a")
    assert scheduler.on_trial_result(None, paper(0), result(2, 0.2, seconds=1800.0)) == GO_ON
    assert scheduler.on_trial_result(None, paper(0), result(4, 0.1, seconds=1800.1)) == STOP
    outcome = search.outcome(0)
    assert outcome is not None and outcome.usable
    assert (outcome.state, outcome.value, outcome.epochs) == (State.TIMEOUT, 0.1, 4)
    assert outcome.reason == "its own 0.5 hours were over after epoch 4"
    assert searcher.suggest("b") != Searcher.FINISHED


def test_tune_keeps_every_lane_warm(search: Search, clock: Clock) -> None:
    """What Tune does by itself is shown first: once it keeps both, `on_trial_add` can go."""
    alone, told = _ObjectCache(), _ObjectCache()
    assert [alone.cache_object("lanes", actor) for actor in ("a", "b")] == [True, False]
    _, scheduler = doors(search, clock)
    trial: Any = SimpleNamespace(placement_group_factory="lanes")
    for _ in range(3):
        scheduler.on_trial_add(SimpleNamespace(_actor_cache=told), trial)
    assert [told.cache_object("lanes", actor) for actor in "abc"] == [True, True, False]


COUNT = """
import sys
from ray import tune
from ray.air._internal import usage
from tuner.search.tune import skip_telemetry

assert "mlflow" not in sys.modules, "already imported"
if {skip}:
    skip_telemetry()
usage.tag_callbacks([tune.Callback()])
print("mlflow" in sys.modules)
"""


@pytest.mark.parametrize(("skip", "imports"), [(False, True), (True, False)])
def test_counting_callbacks_imports_no_mlflow(skip: bool, imports: bool) -> None:
    """What Tune does by itself is shown too: once it imports nothing, `skip_telemetry` can go."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT.format(skip=skip)],
        capture_output=True,
        text=True,
        env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0"},
    )
    assert done.stdout.split()[-1:] == [str(imports)], done.stderr


def test_after_the_deadline_unfinished_trials_stay_unfinished(search: Search, clock: Clock) -> None:
    search.ask()
    clock.over = True
    searcher, _ = doors(search, clock)

    assert searcher.suggest("a") == Searcher.FINISHED
    assert [s.number for s in search.unfinished()] == [0]


@pytest.mark.parametrize("flat", [False, True])
def test_a_trial_that_ended_by_itself_keeps_its_own_word(
    search: Search, clock: Clock, flat: bool
) -> None:
    searcher, scheduler = doors(search, clock)
    for name in "ab":
        searcher.suggest(name)
    scheduler.on_trial_result(None, paper(0), result(1, 0.1))
    outcome = Outcome(state=State.COMPLETE, value=0.9, epochs=1, metrics={"mse": 0.9, "mae": 1.0})
    told: dict[str, Any] = {"outcome": outcome_to_json(outcome)}
    if flat:
        inner = told["outcome"]
        told = {f"outcome/{k}": v for k, v in inner.items() if k != "metrics"}
        told |= {f"outcome/metrics/{k}": v for k, v in inner["metrics"].items()}
    last = result(1, 0.9, done=True, **told)
    clock.over = True

    assert scheduler.on_trial_result(None, paper(1), last) == GO_ON
    searcher.on_trial_complete("b", last)

    assert search.outcome(1) == outcome


def test_a_lost_trial_failed_with_the_last_line_of_its_error(
    search: Search, clock: Clock, tmp_path: Path
) -> None:
    searcher, scheduler = doors(search, clock)
    for name in "ab":
        searcher.suggest(name)
    error = tmp_path / "error.txt"
    error.write_text("Traceback\n  line\nRayActorError: the actor died\n\n")

    scheduler.on_trial_error(None, paper(0, error))
    searcher.on_trial_complete("a", error=True)
    searcher.on_trial_complete("b", error=True)

    outcome, silent = search.outcome(0), search.outcome(1)
    assert outcome is not None and silent is not None
    assert (outcome.state, outcome.reason) == (State.FAILED, "RayActorError: the actor died")
    assert (silent.state, silent.reason) == (State.FAILED, "the trial's process was lost")


def test_an_interrupted_trial_is_not_told(search: Search, clock: Clock) -> None:
    searcher, _ = doors(search, clock)
    searcher.suggest("a")

    searcher.on_trial_complete("a", result(3, 0.5))

    assert [s.number for s in search.unfinished()] == [0]


def test_no_pickle_is_written(search: Search, clock: Clock, tmp_path: Path) -> None:
    searcher, _ = doors(search, clock)
    before = sorted(p.name for p in tmp_path.iterdir())

    searcher.save_to_dir(str(tmp_path))
    searcher.save(str(tmp_path / "searcher.pkl"))

    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_nested_reads_both_spellings() -> None:
    assert nested({"metrics": {"a": 1}}, "metrics") == {"a": 1}
    assert nested({"metrics/a": 1, "b": 2}, "metrics") == {"a": 1}
    assert nested({"b": 2}, "metrics") == {}
