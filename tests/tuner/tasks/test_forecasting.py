"""What makes forecasts comparable: the same targets, in the same units, for every trial."""

from __future__ import annotations

import dataclasses
from typing import Any

import made
import numpy as np
import pytest
import torch

from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.tasks.forecasting import Forecasting

TASK = {"name": "forecasting", "horizon": 6}
WAYS = ["none", "last", "mean", "mean_std"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("series")
    made.series_csv(folder / "rows.csv", missing=0.1)
    data = {
        "train": "rows.csv",
        "id": "name",
        "time": "time",
        "missing": "mean",
        "validation": 0.2,
        "test": 0.2,
    }
    return Store.open(made.prepared(folder, TASK, data))


def task(store: Store, **inputs: Any) -> Forecasting:
    values = {f"data/{name}": value for name, value in ({"look_back": 24} | inputs).items()}
    found = make_task(TASK, TrialConfig.from_values(values, TASK), store.card, None)
    assert isinstance(found, Forecasting)
    return found


@pytest.mark.parametrize("split", ["validation", "test"])
def test_no_input_option_moves_a_scored_target(store: Store, split: Any) -> None:
    reference = task(store)
    rows = reference.rows(store, split, None)
    expected = reference.batch(store, rows)
    for inputs in (
        {"look_back": 1},
        {"look_back": 500},
        {"look_back": 48, "patch": 12},
        *({"normalization": way} for way in WAYS),
    ):
        other = task(store, **inputs)
        assert other.rows(store, split, None).tolist() == rows.tolist()
        batch = other.batch(store, rows)
        np.testing.assert_array_equal(batch.targets, expected.targets)
        np.testing.assert_array_equal(batch.weights, expected.weights)


def test_targets_lie_wholly_inside_their_split(store: Store) -> None:
    found = task(store)
    for split in ("train", "validation", "test"):
        for row in found.rows(store, split, None):  # type: ignore[arg-type]
            series = int(np.searchsorted(store.offset_S, row, side="right")) - 1
            place = row - store.offset_S[series]
            low = 0 if split == "train" else store.bounds[f"{split}_start"][series]
            high = store.bounds["train_end" if split == "train" else f"{split}_end"][series]
            assert low <= place and place + 6 <= high


@pytest.mark.parametrize("way", WAYS)
def test_no_input_sees_the_future_or_another_series(store: Store, way: str) -> None:
    found = task(store, normalization=way, look_back=30)
    rows = found.rows(store, "validation", None)
    expected = found.batch(store, rows[:1])
    series = int(np.searchsorted(store.offset_S, rows[0], side="right")) - 1
    values = np.array(store.values_NF)
    values[rows[0] :] = 1e6
    values[: store.offset_S[series]] = 1e6
    batch = found.batch(dataclasses.replace(store, values_NF=values), rows[:1])
    for name in ("inputs", "shift", "scale"):
        np.testing.assert_array_equal(getattr(batch, name), getattr(expected, name))


@pytest.mark.parametrize("channels", ["mixed", "shared"])
def test_normalisation_is_undone_on_output(store: Store, channels: str) -> None:
    """A model that says "no change" forecasts the window's last value, in every unit."""
    found = task(store, normalization="last", channels=channels)
    rows = found.rows(store, "test", None)[:5]
    batch = found.batch(store, rows)
    zeros = np.zeros((len(batch.inputs), found.num_outputs), dtype=np.float32)
    columns = found.decode(store, rows, zeros, batch)
    load = np.array(columns["load"]).reshape(5, 6)
    last = store.values_NF[rows - 1, store.card.features.index("load")]
    np.testing.assert_allclose(load, np.repeat(last[:, None], 6, axis=1), rtol=1e-5)


def test_shared_and_mixed_channels_score_alike(store: Store) -> None:
    scores = []
    for channels in ("mixed", "shared"):
        found = task(store, normalization="last", channels=channels)
        rows = found.rows(store, "test", None)
        batch = found.batch(store, rows).to_torch("cpu")
        zeros = torch.zeros(len(batch.inputs), found.num_outputs)
        scores.append(found.metrics(found.statistics(zeros, batch).tolist()))
    assert scores[0] == pytest.approx(scores[1])


def test_missing_targets_do_not_count(store: Store) -> None:
    found = task(store)
    rows = found.rows(store, "validation", None)
    batch = found.batch(store, rows)
    assert store.observed_NF is not None
    assert 0.8 < batch.weights.mean() < 1
    assert found.count(store, rows) == batch.weights.sum()
    outputs = torch.randn(len(rows), found.num_outputs)
    moved = dataclasses.replace(batch, targets=batch.targets + np.float32(7) * (batch.weights == 0))
    before, after = (found.statistics(outputs, b.to_torch("cpu")) for b in (batch, moved))
    assert before.tolist() == after.tolist()


def test_baselines_are_what_their_names_say(store: Store) -> None:
    found = task(store)
    scores = found.baselines(store, "test", None)
    assert set(scores) == {"repeat last", "repeat last 24 steps"}
    rows = found.rows(store, "test", None)
    errors, weights = [], []
    for row in rows:
        for step in range(6):
            errors.append(store.values_NF[row - 1] - store.values_NF[row + step])
            assert store.observed_NF is not None
            weights.append(store.observed_NF[row + step].astype(bool))
    load = store.card.features.index("load")
    std = store.card.statistics["all"].std[load]
    kept = np.array(weights)[:, load]
    mine = np.mean((np.array(errors)[kept, load] / std) ** 2)
    only = dataclasses.replace(found.facts, target_channels=(load,))
    alone = Forecasting(_options(), found.inputs, only).baselines(store, "test", None)
    assert alone["repeat last"]["mse"] == pytest.approx(mine, rel=1e-4)


def _options() -> Any:
    from tuner.tasks.forecasting import Config

    return Config(**TASK)


def test_an_output_that_is_not_finite_has_no_score(store: Store) -> None:
    found = task(store)
    rows = found.rows(store, "test", None)[:4]
    batch = found.batch(store, rows).to_torch("cpu")
    outputs = torch.zeros(4, found.num_outputs)
    outputs[2, 0] = float("inf")
    assert np.isnan(found.metrics(found.statistics(outputs, batch).tolist())["mse"])
