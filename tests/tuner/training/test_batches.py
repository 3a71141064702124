"""A batch is the same whether its rows are kept as tensors or cut from the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch

from tuner import registry
from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.tasks._base import Batch, Task
from tuner.training import batches
from tuner.training.batches import Batches

FORECASTING = {"name": "forecasting", "horizon": 5}
CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (made.CLASSIFICATION, {}),
    (FORECASTING, {}),
    (FORECASTING, {"data/channels": "shared", "data/normalization": "mean_std"}),
    (FORECASTING, {"data/patch": 12, "data/look_back": 24, "data/normalization": "last"}),
]


@pytest.fixture(scope="module", params=range(len(CASES)))
def case(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Task, Store]:
    options, values = CASES[request.param]
    folder: Path = tmp_path_factory.mktemp("rows")
    if options is FORECASTING:
        made.series_csv(folder / "rows.csv", missing=0.05)
        data = {"train": "rows.csv", "id": "name", "time": "time", "missing": "forward"}
        store = Store.open(made.prepared(folder, options, data))
    else:
        store = Store.open(made.classification(folder))
    full = registry.get("tasks", options["name"]).Config(**options).model_dump()
    return make_task(full, TrialConfig.from_values(values, full), store.card, None), store


def both(case: tuple[Task, Store], monkeypatch: pytest.MonkeyPatch) -> tuple[Batches, Batches]:
    task, store = case
    rows = task.rows(store, "train", None)
    monkeypatch.setattr(batches, "_CHUNK", 7)
    kept = Batches(task, store, rows, "cpu")
    monkeypatch.setattr(batches, "RESIDENT_BYTES", 0)
    cut = Batches(task, store, rows, "cpu")
    assert kept._whole is not None and cut._whole is None
    return kept, cut


def same(one: Batch, other: Batch) -> bool:
    pairs = zip(vars(one).values(), vars(other).values(), strict=True)
    return all((a is None and b is None) or torch.equal(a, b) for a, b in pairs)


def test_kept_and_cut_are_bitwise_the_same(
    case: tuple[Task, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, cut = both(case, monkeypatch)
    assert len(kept) == len(cut) == len(kept.rows)
    chance = np.random.default_rng(0)
    for size in (1, 2, 5, len(kept)):
        places = chance.permutation(len(kept))[:size]
        assert same(kept.take(places), cut.take(places))
        assert kept.count(places) == cut.count(places)


def test_no_rows_are_an_idle_batch(
    case: tuple[Task, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    for source in both(case, monkeypatch):
        batch = source.take(np.array([], dtype=np.int64))
        assert len(batch.inputs) and not batch.weights.any() and not batch.lengths.any()


def test_what_cannot_be_kept_is_not_cut(
    case: tuple[Task, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    task, store = case
    kept = Batches(task, store, rows := task.rows(store, "train", None), "cpu")
    assert kept._whole is not None
    size = sum(tensor.nbytes for tensor in vars(kept._whole).values() if tensor is not None)
    cut: list[int] = []
    batch = task.batch
    monkeypatch.setattr(task, "batch", lambda s, r: cut.append(len(r)) or batch(s, r))
    monkeypatch.setattr(batches, "RESIDENT_BYTES", size - 1)
    assert Batches(task, store, rows, "cpu")._whole is None and cut == [1]
    monkeypatch.setattr(batches, "RESIDENT_BYTES", size)
    assert Batches(task, store, rows, "cpu")._whole is not None
