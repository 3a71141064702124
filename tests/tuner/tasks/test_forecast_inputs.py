"""What a forecast reads: each input setting does what it says, and no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest

from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.refused_values import ValuesRefused
from tuner.tasks.forecasting import Forecasting

HORIZON = 6
TASK = {"name": "forecasting", "horizon": HORIZON}
PLAIN = {"train": "rows.csv", "id": "name", "time": "time", "missing": "mean", "test": 0.2}
PLAIN |= {"target": ["load", "heat"], "features": ["load", "heat"]}
RICH = PLAIN | {
    "features": ["load", "heat", "sun", "size"],
    "categories": ["wind"],
    "calendar": ["hour"],
    "known": ["sun"],
    "static": ["size"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("series")


@pytest.fixture(scope="module")
def plain(folder: Path) -> Store:
    return prepared(folder, "plain", PLAIN)


@pytest.fixture(scope="module")
def rich(folder: Path) -> Store:
    return prepared(folder, "rich", RICH)


def prepared(folder: Path, name: str, data: dict[str, Any]) -> Store:
    (folder / name).mkdir()
    made.write_rows(folder / name / "rows.csv", made.rich_series())
    return Store.open(made.prepared(folder / name, TASK, data))


def task(store: Store, **inputs: Any) -> Forecasting:
    values = {f"data/{name}": value for name, value in ({"look_back": 24} | inputs).items()}
    found = make_task(TASK, TrialConfig.from_values(values, TASK), store.card, None)
    assert isinstance(found, Forecasting)
    return found


def windows(store: Store, row: int, **inputs: Any) -> np.ndarray:
    """Input steps x inputs of one window, or channels x steps x inputs."""
    found = task(store, **inputs)
    x_BTF = found.batch(store, np.array([row])).inputs
    assert x_BTF.shape[2] == found.num_inputs
    return x_BTF[0] if inputs.get("channels") != "shared" else x_BTF


def row_of(store: Store) -> int:
    return int(task(store).rows(store, "validation", None)[4])


def standard(store: Store, name: str, rows: Any) -> np.ndarray:
    f = store.card.features.index(name)
    statistics = store.card.statistics["all"]
    found = (store.values_NF[rows, f] - statistics.mean[f]) / statistics.std[f]
    return np.nan_to_num(found)


def test_smoothing_is_a_trailing_mean_of_what_was_observed(plain: Store) -> None:
    row, heat = row_of(plain), plain.card.features.index("heat")
    found = windows(plain, row, smooth=5)
    for step in range(24):
        end = row - 24 + step + 1
        values = plain.values_NF[end - 5 : end, heat]
        mean = np.nanmean(values.astype(float))
        std = plain.card.statistics["all"].std[heat]
        expected = (mean - plain.card.statistics["all"].mean[heat]) / std
        assert found[step, heat] == pytest.approx(expected, abs=1e-5)
    assert not np.allclose(found, windows(plain, row))


def test_smoothing_begins_with_the_series(plain: Store) -> None:
    first = int(plain.offset_S[1]) + 1
    found = windows(plain, first, smooth=5)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[:, 0], standard(plain, "load", first - 1), atol=1e-5)


def test_robust_scaling_is_by_median_and_quartiles(plain: Store) -> None:
    row, load = row_of(plain), plain.card.features.index("load")
    train = plain.values_NF[
        np.concatenate(
            [
                o + np.arange(e)
                for o, e in zip(plain.offset_S, plain.bounds["train_end"], strict=True)
            ]
        ),
        load,
    ]
    low, median, high = np.percentile(train, (25, 50, 75))
    expected = (plain.values_NF[row - 24 : row, load] - median) / (high - low)
    np.testing.assert_allclose(windows(plain, row, scaling="robust")[:, load], expected, atol=1e-5)
    assert not np.allclose(windows(plain, row)[:, load], expected)


@pytest.mark.parametrize("scaling", ["robust", "minmax", "none"])
@pytest.mark.parametrize("normalization", ["last", "mean_std"])
def test_however_inputs_are_scaled_outputs_are_undone_alike(
    plain: Store, scaling: str, normalization: str
) -> None:
    rows = task(plain).rows(plain, "test", None)
    batches = [
        task(plain, normalization=normalization, scaling=way).batch(plain, rows)
        for way in ("standard", scaling)
    ]
    np.testing.assert_allclose(batches[0].shift, batches[1].shift, rtol=1e-5)
    np.testing.assert_allclose(batches[0].scale, batches[1].scale, rtol=1e-5)
    assert not np.allclose(batches[0].inputs, batches[1].inputs, atol=1e-3) or (
        normalization == "mean_std"
    )


def test_a_mask_tells_what_was_observed(folder: Path, plain: Store) -> None:
    row, heat = row_of(plain), plain.card.features.index("heat")
    assert plain.observed_NF is not None
    seen = plain.observed_NF[row - 24 : row, heat]
    assert 0 < seen.sum() < 24
    found = windows(plain, row, missing_mask=True)
    assert found.shape[1] == 3 and found[:, 2].tolist() == seen.tolist()
    np.testing.assert_array_equal(found[:, :2], windows(plain, row))
    filled = prepared(folder, "filled", PLAIN | {"missing": "forward"})
    assert windows(filled, row, missing_mask=True)[:, 2].tolist() == seen.tolist()
    shared = windows(plain, row, missing_mask=True, channels="shared")
    assert shared[1, :, 1].tolist() == seen.tolist() and (shared[0, :, 1] == 1).all()


def test_spectral_inputs_are_magnitudes_of_the_look_back(plain: Store) -> None:
    row, load = row_of(plain), plain.card.features.index("load")
    found = windows(plain, row, spectral=3)
    expected = np.abs(np.fft.rfft(windows(plain, row)[:, load]))[:3] / 24
    for step in (0, 23):
        np.testing.assert_allclose(found[step, 2:].reshape(3, 2)[:, load], expected, atol=1e-5)
    shared = windows(plain, row, spectral=3, channels="shared")
    np.testing.assert_allclose(shared[load, 5, 1:], expected, atol=1e-5)


def test_more_magnitudes_than_there_are_are_refused() -> None:
    values = {"data/look_back": 24, "data/spectral": 14}
    with pytest.raises(ValueError, match="half of `data/look_back`"):
        TrialConfig.from_values(values, TASK)
    TrialConfig.from_values(values | {"data/spectral": 13}, TASK)


def test_shared_channels_are_told_apart_if_asked(plain: Store) -> None:
    row = row_of(plain)
    found = windows(plain, row, channels="shared", channel_embedding=True)
    assert (found[0, :, 1:] == [1, 0]).all() and (found[1, :, 1:] == [0, 1]).all()
    np.testing.assert_array_equal(found[:, :, :1], windows(plain, row, channels="shared"))
    with pytest.raises(ValuesRefused, match="channels: shared"):
        TrialConfig.from_values({"data/channel_embedding": True}, TASK)


def test_a_stride_thins_training_windows_alone(plain: Store) -> None:
    every, fifth = task(plain), task(plain, stride=5)
    for series in range(2):
        low = plain.offset_S[series]
        inside = [
            [r for r in t.rows(plain, "train", None) if low < r <= low + plain.length_S[series]]
            for t in (every, fifth)
        ]
        assert inside[1] == inside[0][::-1][::5][::-1]
    for split in ("validation", "test"):
        rows = [t.rows(plain, split, None).tolist() for t in (every, fifth)]  # type: ignore[arg-type]
        assert rows[0] == rows[1]


def test_clipping_cuts_inputs_and_never_targets(folder: Path) -> None:
    rows = made.rich_series()
    for place in (20, 145):
        rows[place]["load"] = 1e4
    stores = {}
    for name, clip in (("as is", None), ("sigma", {"sigma": 2}), ("quantile", {"quantile": 0.1})):
        (folder / name).mkdir()
        made.write_rows(folder / name / "rows.csv", rows)
        stores[name] = Store.open(made.prepared(folder / name, TASK, PLAIN | {"clip": clip}))
    load = stores["as is"].card.features.index("load")
    statistics = stores["as is"].card.statistics["all"]
    train = np.concatenate([stores["as is"].values_NF[s : s + 90, load] for s in (0, 150)])
    limits = {
        "sigma": statistics.mean[load] + 2 * statistics.std[load],
        "quantile": np.quantile(train, 0.9),
    }
    for name, limit in limits.items():
        expected = (limit - statistics.mean[load]) / statistics.std[load]
        assert windows(stores[name], 30)[14, load] == pytest.approx(expected, rel=1e-4)
        batches = [
            task(s).batch(s, task(s).rows(s, "test", None)) for s in (stores["as is"], stores[name])
        ]
        np.testing.assert_array_equal(batches[0].targets, batches[1].targets)
        assert batches[0].targets.max() > 5 > batches[1].inputs.max()


def test_known_covariates_are_read_for_the_past_and_the_horizon(rich: Store) -> None:
    names = rich.card.features
    assert names == (
        *("load", "heat", "sun", "size", "wind=N", "wind=S", "wind=W", "hour sin", "hour cos"),
    )
    row = row_of(rich)
    found = windows(rich, row)
    # Measured and categories, then known, then known ahead, then static.
    assert found.shape == (24, 5 + 3 + 3 + 1)
    for place, name in enumerate(("sun", "hour sin", "hour cos")):
        known = standard(rich, name, np.arange(row - 24, row + HORIZON))
        np.testing.assert_allclose(found[:, 5 + place], known[:24], atol=1e-6)
        np.testing.assert_allclose(found[-HORIZON:, 8 + place], known[24:], atol=1e-6)
        assert not found[:-HORIZON, 8 + place].any()
    assert (found[:, 11] == standard(rich, "size", row)).all()
    np.testing.assert_array_equal(
        found[:, 2:5], rich.values_NF[row - 24 : row, 4:7], "categories are as they are"
    )


def test_a_short_look_back_still_reads_the_whole_horizon(rich: Store) -> None:
    row = row_of(rich)
    found = windows(rich, row, look_back=8, patch=4)
    # Two input steps hold three steps ahead each: all six, in order.
    assert found.shape == (2, 4 * (5 + 3) + 3 * 3 + 1)
    ahead = found[:, 32:41].reshape(6, 3)
    np.testing.assert_allclose(ahead[:, 0], standard(rich, "sun", row + np.arange(6)), atol=1e-6)


def test_shared_channels_read_the_covariates_too(rich: Store) -> None:
    row = row_of(rich)
    found = windows(rich, row, channels="shared")
    assert found.shape == (2, 24, 1 + 3 + 3 + 1)
    np.testing.assert_array_equal(found[0, :, 1:], found[1, :, 1:])
    np.testing.assert_array_equal(found[0, :, 1:], windows(rich, row)[:, 5:])


@pytest.mark.parametrize("normalization", ["last", "mean", "mean_std"])
def test_covariates_keep_their_level(rich: Store, normalization: str) -> None:
    row = row_of(rich)
    usual, found = (windows(rich, row, normalization=n) for n in ("none", normalization))
    np.testing.assert_array_equal(found[:, 2:], usual[:, 2:])
    assert not np.allclose(found[:, :2], usual[:, :2])


def test_only_what_is_known_is_read_of_the_horizon(rich: Store) -> None:
    import dataclasses

    row, values = row_of(rich), np.array(rich.values_NF)
    measured = [f for f in range(9) if f not in rich.card.layout.roles.known]
    values[row:, measured] = 1e6
    changed = dataclasses.replace(rich, values_NF=values)
    inputs = {"missing_mask": True, "spectral": 3, "smooth": 3}
    np.testing.assert_array_equal(windows(rich, row, **inputs), windows(changed, row, **inputs))
    values[row:, rich.card.layout.roles.known] = 1e6
    assert not np.array_equal(windows(rich, row, **inputs), windows(changed, row, **inputs))


STEPWISE = ["recursive", "seq2seq"]


@pytest.mark.parametrize("decoding", STEPWISE)
def test_each_step_tells_what_is_known_of_the_next(rich: Store, decoding: str) -> None:
    row = row_of(rich)
    found = windows(rich, row, decoding=decoding)
    measured = 2 if decoding == "recursive" else 5
    assert found.shape == (24 + HORIZON - 1, measured + 3 + 1)
    for place, name in enumerate(("sun", "hour sin", "hour cos")):
        known = standard(rich, name, np.arange(row - 23, row + HORIZON))
        np.testing.assert_allclose(found[:, measured + place], known, atol=1e-6)
    assert (found[:, -1] == standard(rich, "size", row)).all()
    np.testing.assert_array_equal(found[:24, :measured], windows(rich, row)[:, :measured])


@pytest.mark.parametrize("normalization", ["none", "last", "mean_std"])
@pytest.mark.parametrize("channels", ["mixed", "shared"])
def test_true_targets_stand_ahead_for_a_recursive_network_to_read_in_training(
    rich: Store, channels: str, normalization: str
) -> None:
    """As it would write them: a network's answer at a step is the next step's input."""
    inputs = {"channels": channels, "normalization": normalization}
    found, rows = task(rich, decoding="recursive", **inputs), np.array([row_of(rich)])
    batch = found.batch(rich, rows)
    answers = (batch.targets - batch.shift) / batch.scale * (batch.weights > 0)
    num = answers.shape[2]
    seen = batch.weights[:, :-1] > 0
    np.testing.assert_allclose((batch.inputs[:, 24:, :num])[seen], answers[:, :-1][seen], atol=1e-5)
    without = task(rich, decoding="seq2seq", **inputs).batch(rich, rows)
    assert not without.inputs[:, 24:, :num].any()


@pytest.mark.parametrize("decoding", STEPWISE)
def test_a_mask_goes_on_ahead(plain: Store, decoding: str) -> None:
    row = row_of(plain)
    found = windows(plain, row, decoding=decoding, missing_mask=True)[:, 2]
    assert plain.observed_NF is not None
    heat = plain.card.features.index("heat")
    assert found[:24].tolist() == plain.observed_NF[row - 24 : row, heat].tolist()
    assert found[24:].tolist() == [float(decoding == "recursive")] * (HORIZON - 1)


@pytest.mark.parametrize("decoding", STEPWISE)
@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"data/patch": 2}, "data/patch"),
        ({"model/directions": 2}, "model/directions"),
        ({"model/name": "torch.nn:Identity"}, "model/name"),
    ],
)
def test_what_cannot_be_decoded_step_by_step_is_refused(
    values: dict[str, Any], path: str, decoding: str
) -> None:
    with pytest.raises(ValuesRefused) as refused:
        TrialConfig.from_values({"data/decoding": decoding} | values, TASK)
    assert [r.path for r in refused.value.refusals] == [path]
    assert decoding in refused.value.refusals[0].rule


@pytest.mark.parametrize("values", [{"data/smooth": 3}, {"data/scaling": "robust"}])
def test_what_is_fed_back_is_neither_smoothed_nor_scaled_otherwise(values: dict[str, Any]) -> None:
    with pytest.raises(ValuesRefused, match="recursive"):
        TrialConfig.from_values({"data/decoding": "recursive"} | values, TASK)
    TrialConfig.from_values({"data/decoding": "seq2seq"} | values, TASK)
