"""Numbers for whole sequences: scored in their own units, whatever was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.refused_values import ValuesRefused
from tuner.tasks._base import Facts, Task
from tuner.training.rank import Rank


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.regression(tmp_path_factory.mktemp("rows"), test=0.2)


@pytest.fixture(scope="module")
def store(folder: Path) -> Store:
    return Store.open(folder)


def task_of(store: Store, **values: Any) -> Task:
    config = TrialConfig.from_values(values, made.REGRESSION)
    return make_task(made.REGRESSION, config, store.card, None)


def test_metrics_agree_with_scikit_learn(store: Store) -> None:
    task, rows = task_of(store), np.arange(len(store.length_S))
    outputs = torch.randn(len(rows), 2, generator=torch.Generator().manual_seed(0))
    halves = [rows[:20], rows[20:]]
    sums = sum(
        task.statistics(outputs[half], task.batch(store, half).to_torch("cpu")) for half in halves
    )
    assert isinstance(sums, torch.Tensor) and store.target_SC is not None
    found = task.metrics(sums.tolist())
    columns = task.decode(store, rows, outputs.numpy(), task.batch(store, rows))
    assert list(columns) == ["id", "price", "weight"]
    guess = np.array([columns["price"], columns["weight"]]).T
    truth = store.target_SC.astype(np.float64)
    for name, score in {
        "rmse": reference.root_mean_squared_error,
        "mae": reference.mean_absolute_error,
        "mse": reference.mean_squared_error,
        "r2": reference.r2_score,
    }.items():
        assert found[name] == pytest.approx(score(truth, guess), rel=1e-5), name


def test_baselines_are_mean_and_median_of_the_training_rows(store: Store) -> None:
    task = task_of(store)
    assert store.target_SC is not None
    train = store.target_SC[task.rows(store, "train", None)]
    truth = store.target_SC[task.rows(store, "test", None)]
    found = task.baselines(store, "test", None)
    for name, guess in (("mean", train.mean(0)), ("median", np.median(train, axis=0))):
        guesses = np.broadcast_to(guess, truth.shape)
        expected = reference.mean_absolute_error(truth, guesses)
        assert found[name]["mae"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, lambda e: e**2),
        ({"loss/name": "mae"}, np.abs),
        (
            {"loss/name": "huber", "loss/delta": 0.5},
            lambda e: np.where(np.abs(e) < 0.5, e**2 / 2, 0.5 * (np.abs(e) - 0.25)),
        ),
    ],
)
def test_each_loss_is_its_definition_and_moves_no_score(
    store: Store, values: dict[str, Any], expected: Any
) -> None:
    task, rows = task_of(store, **values), np.arange(20)
    batch = task.batch(store, rows).to_torch("cpu")
    outputs = torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    error = (outputs - batch.targets).numpy()
    assert task.loss(outputs, batch).item() == pytest.approx(expected(error).sum(), rel=1e-5)
    assert torch.equal(task.statistics(outputs, batch), task_of(store).statistics(outputs, batch))


def test_targets_are_scaled_by_training_rows_only(store: Store) -> None:
    task = task_of(store)
    rows = task.rows(store, "train", None)
    targets = task.batch(store, rows).targets
    np.testing.assert_allclose(targets.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(targets.std(axis=0), 1, rtol=1e-5)


def test_a_network_learns_what_the_baseline_cannot(folder: Path, tmp_path: Path) -> None:
    values = {"training/epochs": 30, "optimizer/lr": 0.01}
    changes = {"task": made.REGRESSION, "metric": "rmse", "maximize": False}
    rank = Rank("cpu", 1)
    rank.start(made.job(folder, tmp_path, values, **changes))
    report = rank.epoch()
    while not report.ended:
        report = rank.epoch()
    store = Store.open(folder)
    naive = task_of(store).baselines(store, "validation", None)["mean"]
    assert report.best < 0.5 * naive["rmse"]
    assert report.best_metrics["r2"] > 0.7


def test_folds_scale_by_their_own_rows(tmp_path: Path) -> None:
    store = Store.open(made.regression(tmp_path, validation={"folds": 3}))
    assert len({store.card.fitted(fold).target_mean for fold in (0, 1, 2, None)}) == 4


def test_facts_go_through_a_bundle(store: Store) -> None:
    facts = task_of(store).facts
    assert facts.targets == ("price", "weight")
    assert Facts.from_json(facts.to_json()) == facts


def test_losses_of_classes_are_refused(store: Store) -> None:
    with pytest.raises(ValuesRefused, match="loss/focal"):
        TrialConfig.from_values({"loss/focal": 1.0}, made.REGRESSION)
