from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch

from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.errors import SpecError
from tuner.refused_values import ValuesRefused
from tuner.spec_reader import load
from tuner.tasks import _rollouts
from tuner.tasks._actions import Acting
from tuner.tasks.control import Config, metrics
from tuner.training.rank import Rank

DATA = {"train": "rows.csv", "id": "id", "time": "step", "test": 0.2, "features": ["x", "y"]}


def store_of(folder: Path, target: str | list[str], options: dict[str, Any]) -> Store:
    made.episodes_csv(folder / "rows.csv")
    task = {"name": "control", **options}
    return Store.open(made.prepared(folder, task, DATA | {"target": target}))


def task_of(store: Store, options: dict[str, Any], **values: Any) -> Acting:
    task = {"name": "control", **options}
    made_task = make_task(task, TrialConfig.from_values(values, task), store.card, None)
    assert isinstance(made_task, Acting)
    return made_task


CONTINUOUS = {"actions": "continuous"}


@pytest.fixture
def numbers(tmp_path: Path) -> Store:
    return store_of(tmp_path, ["push", "y"], CONTINUOUS)


def test_numbers_of_each_step_are_read_and_fitted_on_training_rows(tmp_path: Path) -> None:
    store = store_of(tmp_path, "push", CONTINUOUS)
    assert store.number_NC is not None and store.number_NC.shape == (len(store.values_NF), 1)
    train_N = np.repeat(store.split_S == 0, store.length_S)
    fitted = store.card.fitted(None)
    assert fitted.target_mean == pytest.approx([float(store.number_NC[train_N].mean())], rel=1e-5)
    assert fitted.target_std == pytest.approx([float(store.number_NC[train_N].std())], rel=1e-5)
    assert store.card.features == ("x", "y")


@pytest.mark.parametrize("spread", [False, True])
def test_errors_of_numbers_are_their_formulas(tmp_path: Path, spread: bool) -> None:
    options = CONTINUOUS | {"spread": spread}
    store = store_of(tmp_path, ["push"], options)
    task = task_of(store, options)
    rows = task.rows(store, "validation", None)
    batch = task.batch(store, rows)
    y_BTO = np.random.default_rng(0).normal(size=(*batch.weights.shape, task.num_outputs))
    tensors = batch.to_torch("cpu")
    outputs = torch.from_numpy(y_BTO.astype(np.float32))
    found = task.metrics(task.statistics(outputs, tensors).tolist())
    valid = batch.weights > 0
    error_N = (y_BTO[..., :1] - batch.targets)[valid]
    assert found["mse"] == pytest.approx((error_N**2).mean(), rel=1e-5)
    assert found["mae"] == pytest.approx(np.abs(error_N).mean(), rel=1e-5)
    expected = (error_N**2).sum()
    if spread:
        log_N = y_BTO[..., 1:][valid]
        nll_N = 0.5 * (log_N + error_N**2 / np.exp(log_N) + math.log(2 * math.pi))
        assert found["nll"] == pytest.approx(nll_N.mean(), rel=1e-5)
        expected = nll_N.sum()
    assert float(task.loss(outputs, tensors)) == pytest.approx(expected, rel=1e-4)


def test_predictions_are_in_the_datas_units(tmp_path: Path) -> None:
    options = CONTINUOUS | {"spread": True}
    store = store_of(tmp_path, ["push"], options)
    task = task_of(store, options)
    rows = task.prediction_rows(store)[:3]
    batch = task.batch(store, rows)
    outputs = np.concatenate([batch.targets, np.zeros_like(batch.targets)], axis=-1)
    columns = task.decode(store, rows, outputs, batch)
    assert store.number_NC is not None
    taken_N = store.number_NC[: int(store.length_S[:3].sum()), 0]
    np.testing.assert_allclose(columns["push"], taken_N, rtol=1e-4, atol=1e-4)
    assert columns["push deviation"][0] == pytest.approx(store.card.fitted(None).target_std[0])
    assert columns["step"][0] == 1 and set(columns["id"]) == {store.ids[i] for i in range(3)}


def test_baselines_are_the_usual_action(tmp_path: Path) -> None:
    store = store_of(tmp_path, "label", {})
    task = task_of(store, {})
    found = task.baselines(store, "validation", None)
    assert found.keys() == {"most frequent action", "random actions"}
    assert found["random actions"] == pytest.approx({"accuracy": 0.5, "loss": math.log(2)})
    (tmp_path / "numbers").mkdir()
    numbers = store_of(tmp_path / "numbers", ["push"], CONTINUOUS)
    scores = task_of(numbers, CONTINUOUS).baselines(numbers, "train", None)["mean action"]
    assert scores["mse"] == pytest.approx(1, rel=1e-4)


def test_a_memory_of_all_steps_is_learned(tmp_path: Path) -> None:
    """Left or right by the sum of all x so far: the last alone tells two thirds."""
    store_of(tmp_path, "label", {})
    values = {"model/hidden_size": 24, "training/epochs": 15, "optimizer/lr": 0.02}
    rank = Rank("cpu", 1)
    rank.start(made.job_of("control", tmp_path / "data", tmp_path / "trial", values))
    while not (report := rank.epoch()).ended:
        pass
    assert report.best > 0.8


def test_metrics_follow_from_the_options() -> None:
    assert next(iter(metrics(Config(environment="CartPole-v1"), None))) == "return"
    assert list(metrics(Config(actions="continuous", spread=True), 1)) == ["mse", "mae", "nll"]
    with pytest.raises(ValueError, match="actions: continuous"):
        Config(spread=True)


def test_what_looks_ahead_or_decides_at_the_end_is_refused() -> None:
    for values, part in (
        ({"model/directions": 2}, "`model/directions` must be 1"),
        ({"model/crf": True}, "`model/crf` must be false"),
        ({"model/name": "torch.nn:Identity"}, "`model/name` must be a shipped architecture"),
    ):
        with pytest.raises(ValuesRefused, match=part):
            TrialConfig.from_values(values, {"name": "control"})


SPEC = """name: play
task: {name: control, environment: %s}
data: {train: rows.csv, id: id, target: label}
"""


def refused(folder: Path, environment: str) -> str:
    made.episodes_csv(folder / "rows.csv")
    (folder / "s.yaml").write_text(SPEC % environment)
    with pytest.raises(SpecError) as raised:
        load(folder / "s.yaml")
    (mistake,) = raised.value.mistakes
    assert all([mistake.rule, mistake.got, mistake.fix]) and "line 2" in mistake.where
    return str(mistake)


def test_a_missing_library_is_told_with_the_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_rollouts, "find_spec", lambda name: None)
    assert "pip install 'rnn-tuner[control]'" in refused(tmp_path, "CartPole-v1")


def test_an_unknown_environment_is_told_with_the_spec(tmp_path: Path) -> None:
    pytest.importorskip("gymnasium")
    assert "task/environment" in refused(tmp_path, "CartPoll-v1")
    assert "vector of numbers" in refused(tmp_path, "FrozenLake-v1")
