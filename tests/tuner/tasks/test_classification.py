from __future__ import annotations

import made
import numpy as np
import pytest
import torch
from sklearn import metrics as reference

from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.tasks._base import Task


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store.open(made.classification(tmp_path_factory.mktemp("rows"), test=0.2))


@pytest.fixture(scope="module")
def task(store: Store) -> Task:
    config = TrialConfig.from_values({}, made.CLASSIFICATION)
    return make_task(made.CLASSIFICATION, config, store.card, None)


def test_metrics_agree_with_scikit_learn(store: Store, task: Task) -> None:
    rows = np.arange(len(store.length_S))
    batch = task.batch(store, rows).to_torch("cpu")
    outputs_BC = torch.randn(len(rows), 3, generator=torch.Generator().manual_seed(0))
    # Added over two parts, as over batches and ranks.
    halves = [rows[:20], rows[20:]]
    statistics = sum(
        task.statistics(outputs_BC[half], task.batch(store, half).to_torch("cpu"))
        for half in halves
    )
    assert isinstance(statistics, torch.Tensor)
    found = task.metrics(statistics.tolist())
    truth, guess = store.label_S, outputs_BC.argmax(1).numpy()
    shares = torch.softmax(outputs_BC.double(), 1).numpy()
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(truth, guess))
    balanced = reference.balanced_accuracy_score(truth, guess)
    assert found["balanced_accuracy"] == pytest.approx(balanced)
    assert found["macro_f1"] == pytest.approx(reference.f1_score(truth, guess, average="macro"))
    assert found["loss"] == pytest.approx(reference.log_loss(truth, shares), rel=1e-5)
    total = task.loss(outputs_BC, batch) / task.count(store, rows)
    assert total.item() == pytest.approx(found["loss"], rel=1e-5)


def test_splits_are_disjoint_and_whole(store: Store, task: Task) -> None:
    parts = [
        set(task.rows(store, split, None).tolist())  # type: ignore[arg-type]
        for split in ("train", "validation", "test")
    ]
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(store.length_S)
    assert all(parts)


def test_the_baseline_says_the_most_frequent_class(store: Store, task: Task) -> None:
    found = task.baselines(store, "test", None)["majority class"]
    train = store.label_S[task.rows(store, "train", None)]
    test = store.label_S[task.rows(store, "test", None)]
    most = np.bincount(train).argmax()
    assert found["accuracy"] == pytest.approx((test == most).mean())


def test_predictions_name_the_labels(store: Store, task: Task) -> None:
    rows = np.arange(4)
    outputs = np.array([[9, 0, 0], [0, 9, 0], [0, 0, 9], [9, 0, 0]], dtype=np.float32)
    columns = task.decode(store, rows, outputs, task.batch(store, rows))
    assert columns["label"] == ["a", "b", "c", "a"]
    shares = np.array([columns[f"probability {c}"] for c in "abc"])
    np.testing.assert_allclose(shares.sum(axis=0), 1, rtol=1e-6)


def test_an_output_that_is_not_finite_has_no_score(store: Store, task: Task) -> None:
    batch = task.batch(store, np.arange(3)).to_torch("cpu")
    outputs = torch.zeros(3, 3)
    outputs[1, 1] = float("nan")
    assert np.isnan(task.metrics(task.statistics(outputs, batch).tolist())["accuracy"])


def test_confusions_are_counted_by_name(store: Store, task: Task) -> None:
    rows = np.arange(len(store.length_S))
    outputs = torch.randn(len(rows), 3, generator=torch.Generator().manual_seed(0))
    sums = task.statistics(outputs, task.batch(store, rows).to_torch("cpu")).tolist()
    table = task.tables(sums)["confusion"]
    expected = reference.confusion_matrix(store.label_S, outputs.argmax(1).numpy())
    assert table.columns == ("a", "b", "c")
    assert [list(table.rows[name]) for name in "abc"] == expected.tolist()
    assert f"| b | {' | '.join(map(str, expected[1]))} |" in table.to_markdown()
