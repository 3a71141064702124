"""Episodes are seeded, end when they end, and ask the policy that the data trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest

from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.errors import DataError
from tuner.tasks import _rollouts
from tuner.training.rank import Rank

pytest.importorskip("gymnasium")

POLE = "CartPole-v1"
TASK = {"name": "control", "environment": POLE, "episodes": 4}


def balanced(x_BI: np.ndarray, alive_B: np.ndarray, state: Any) -> tuple[list[int], Any]:
    """A hand-made controller of the whole state."""
    return [int(x_I @ np.array([1.0, 1.5, 20.0, 3.5]) > 0) for x_I in x_BI], None


def push(x_BI: np.ndarray, alive_B: np.ndarray, state: Any) -> tuple[list[int], Any]:
    return [1] * len(x_BI), None


def test_a_good_policy_earns_more_than_a_bad_one() -> None:
    good = _rollouts.returns(POLE, balanced, 3, "validation", None)
    bad = _rollouts.returns(POLE, push, 3, "validation", None)
    assert good.tolist() == [500.0] * 3 and (bad < 15).all()


def test_episodes_follow_from_split_and_number_alone() -> None:
    def any_action() -> _rollouts.Choose:
        return _rollouts.random_actions(POLE, seed=0)

    first = _rollouts.returns(POLE, any_action(), 6, "validation", None)
    assert first.tolist() == _rollouts.returns(POLE, any_action(), 6, "validation", None).tolist()
    assert first.tolist() != _rollouts.returns(POLE, any_action(), 6, "test", None).tolist()
    # One of each is alone what it is among others.
    three = _rollouts.returns(POLE, push, 3, "validation", None)
    assert _rollouts.returns(POLE, push, 1, "validation", None)[0] == three[0]


def test_a_policy_sees_what_it_observes_and_carries_its_state() -> None:
    seen: list[tuple[int, ...]] = []

    def counting(x_BI: np.ndarray, alive_B: np.ndarray, state: Any) -> tuple[list[int], Any]:
        seen.append((*x_BI.shape, 0 if state is None else state))
        return [1] * len(x_BI), (state or 0) + 1

    _rollouts.returns(POLE, counting, 2, "validation", [2, 0])
    assert [count for *_, count in seen] == list(range(len(seen)))
    assert {shape[:2] for shape in seen} == {(2, 2)}


def test_continuous_actions_stay_within_their_bounds() -> None:
    def strong(x_BI: np.ndarray, alive_B: np.ndarray, state: Any) -> tuple[list[Any], Any]:
        return [np.array([99.0])] * len(x_BI), None

    def bounded(x_BI: np.ndarray, alive_B: np.ndarray, state: Any) -> tuple[list[Any], Any]:
        return [np.array([2.0])] * len(x_BI), None

    found = [_rollouts.returns("Pendulum-v1", p, 2, "test", None) for p in (strong, bounded)]
    np.testing.assert_array_equal(*found)


def test_actions_that_an_environment_lacks_are_refused() -> None:
    with pytest.raises(DataError, match="takes the actions of the data"):
        _rollouts.returns(POLE, lambda x, alive, s: (["left"] * len(x), None), 1, "test", None)


def episodes(folder: Path) -> Path:
    """The controller's own episodes, as a table."""
    rows: list[dict[str, Any]] = []

    def recorded(x_BI: np.ndarray, alive_B: np.ndarray, state: Any) -> tuple[list[int], Any]:
        actions, _ = balanced(x_BI, alive_B, None)
        step = state or 0
        for e, (x_I, action) in enumerate(zip(x_BI.tolist(), actions, strict=True)):
            if step < 60:
                named = dict(zip(("x", "v", "a", "w"), x_I, strict=True))
                rows.append({"id": f"e{e}", "step": step, **named, "action": action})
        return actions, step + 1

    _rollouts.returns(POLE, recorded, 30, "train", None)
    made.write_rows(folder / "rows.csv", rows)
    data = {"train": "rows.csv", "id": "id", "time": "step", "target": "action", "test": 0.2}
    return made.prepared(folder, TASK, data | {"features": ["x", "v", "a", "w"]})


def test_a_clone_is_scored_by_its_return(tmp_path: Path) -> None:
    data = episodes(tmp_path)
    values = {"model/hidden_size": 16, "training/epochs": 6, "optimizer/lr": 0.02}
    values |= {"training/batch_size": 4}
    job = made.job(data, tmp_path / "t", values, task=TASK, metric="return", maximize=True)
    rank = Rank("cpu", 1)
    rank.start(job)
    while not (report := rank.epoch()).ended:
        pass
    task = make_task(TASK, TrialConfig.from_values(values, TASK), Store.open(data).card, None)
    naive = task.baselines(Store.open(data), "validation", None)
    assert naive.keys() == {"most frequent action", "random actions"}
    assert report.best > 3 * max(scores["return"] for scores in naive.values())
    rank.stop()
    # The same weights earn the same again.
    assert rank.evaluate("validation")["return"] == report.best
    assert rank.evaluate("test").keys() == {"return", "accuracy", "loss"}


def test_other_inputs_than_the_environment_tells_are_refused(tmp_path: Path) -> None:
    made.episodes_csv(tmp_path / "rows.csv")
    data = {"train": "rows.csv", "id": "id", "target": "label", "features": ["x", "y"]}
    for observed, part in ((None, "2 features"), ([0, 7], r"the places \[0, 7\]")):
        options = TASK | {"observed": observed}
        folder = tmp_path / f"{observed}"
        folder.mkdir()
        made.episodes_csv(folder / "rows.csv")
        store = Store.open(made.prepared(folder, options, data))
        task = make_task(options, TrialConfig.from_values({}, options), store.card, None)
        with pytest.raises(DataError, match=part):
            task.baselines(store, "validation", None)
