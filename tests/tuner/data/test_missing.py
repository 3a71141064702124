"""What stands in for missing values, and what does not suit a kind of task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest

from tuner.config import TrialConfig, make_task
from tuner.data.predicting import read_for_prediction
from tuner.data.store import Store
from tuner.errors import DataError

DATA = {"train": "rows.csv", "id": "id", "time": "step", "target": "label"}
HOLES = ["", 2, "", "", 8, 6, ""]


def rows() -> list[dict[str, Any]]:
    found = [
        {"id": f"s{i:02d}", "step": t, "x": i + t / 9, "y": (5 * i + t) % 7, "label": "ab"[i % 2]}
        for i in range(12)
        for t in range(7)
    ]
    for t, value in enumerate(HOLES):
        found[7 + t]["x"] = value
    return found


def store_of(folder: Path, rows: list[dict[str, Any]], **data: Any) -> Store:
    made.write_rows(folder / "rows.csv", rows)
    return Store.open(made.prepared(folder, made.CLASSIFICATION, DATA | data))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("interpolate", [2, 2, 4, 6, 8, 6, 6]),
        ("forward", [np.nan, 2, 2, 2, 8, 6, 6]),
        ("zero", [0, 2, 0, 0, 8, 6, 0]),
        ("mean", [np.nan, 2, np.nan, np.nan, 8, 6, np.nan]),
        ("drop", [2, 8, 6]),
    ],
)
def test_each_policy(tmp_path: Path, policy: str, expected: list[float]) -> None:
    store = store_of(tmp_path, rows(), missing=policy)
    found = store.values_NF[store.offset_S[1] :][: store.length_S[1], 0]
    np.testing.assert_allclose(found, expected)
    # Its neighbours are whole, and stay as they are.
    for i in (0, 2):
        x_T = store.values_NF[store.offset_S[i] :][: store.length_S[i], 0]
        np.testing.assert_allclose(x_T, i + np.arange(7) / 9, rtol=1e-6)
    again = read_for_prediction(
        [tmp_path / "rows.csv"], store.card.layout, store.card.labels, warnings=[]
    )
    np.testing.assert_array_equal(again.values_NF, store.values_NF)


def test_nothing_to_interpolate_from_is_left_open(tmp_path: Path) -> None:
    lines = rows()
    for t in range(7):
        lines[7 + t]["x"] = ""
    store = store_of(tmp_path, lines, missing="interpolate")
    assert np.isnan(store.values_NF[store.offset_S[1] :][:7, 0]).all()


def test_a_sequence_that_would_be_dropped_whole_is_refused(tmp_path: Path) -> None:
    lines = rows()
    for t in range(7):
        lines[7 + t]["x"] = ""
    with pytest.raises(DataError, match="rows.csv line 9") as refused:
        store_of(tmp_path, lines, missing="drop")
    assert [m.code for m in refused.value.mistakes] == ["data/empty-sequence"]


@pytest.mark.parametrize(
    ("code", "part", "data"),
    [
        ("looks-ahead", "missing: forward", {"missing": "interpolate"}),
        ("drops-steps", "missing: forward", {"missing": "drop"}),
    ],
)
def test_a_forecast_neither_looks_ahead_nor_loses_steps(
    tmp_path: Path, code: str, part: str, data: dict[str, Any]
) -> None:
    made.series_csv(tmp_path / "rows.csv", missing=0.1)
    section = {"train": "rows.csv", "id": "name", "time": "time"} | data
    with pytest.raises(DataError, match=part) as refused:
        made.prepared(tmp_path, {"name": "forecasting", "horizon": 3}, section)
    assert [m.code for m in refused.value.mistakes] == [f"data/{code}"]


@pytest.mark.parametrize("data", [{"known": ["x"]}, {"validation": {"origins": 3}}])
def test_labelled_sequences_have_no_horizon(tmp_path: Path, data: dict[str, Any]) -> None:
    with pytest.raises(DataError) as refused:
        store_of(tmp_path, rows(), missing="zero", **data)
    code = "origins" if "validation" in data else "covariates"
    assert refused.value.mistakes[0].code == f"data/{code}"


def inputs_of(store: Store, sequence: int, **values: Any) -> np.ndarray:
    config = TrialConfig.from_values(
        {f"data/{k}": v for k, v in values.items()}, made.CLASSIFICATION
    )
    found = make_task(made.CLASSIFICATION, config, store.card, None)
    x_BTF = found.batch(store, np.array([sequence, 0])).inputs
    assert x_BTF.shape[2] == found.num_inputs
    inputs: np.ndarray = x_BTF[0]
    return inputs


def test_a_classifier_is_told_what_was_observed(tmp_path: Path) -> None:
    store = store_of(tmp_path, rows(), missing="forward", validation={"folds": 2})
    found = inputs_of(store, 1, missing_mask=True)
    assert found[:, 2].tolist() == [0, 1, 0, 0, 1, 1, 0]
    np.testing.assert_array_equal(found[:, :2], inputs_of(store, 1))


def test_a_classifier_smooths_over_the_past_or_both_sides(tmp_path: Path) -> None:
    store = store_of(tmp_path, rows(), missing="mean")
    x_T = np.array([np.nan, 2, np.nan, np.nan, 8, 6, np.nan])
    for centred, (before, after) in ((False, (2, 0)), (True, (1, 1))):
        found = inputs_of(store, 1, smooth=3, centred=centred, scaling="none")[:, 0]
        for t in range(7):
            window = x_T[max(t - before, 0) : t + after + 1]
            mean = 0 if np.isnan(window).all() else np.nanmean(window)
            assert found[t] == pytest.approx(mean)


def test_a_classifiers_inputs_are_clipped_and_scaled_by_quartiles(tmp_path: Path) -> None:
    lines = rows()
    lines[7 + 1]["x"] = 1e6
    store = store_of(tmp_path, lines, missing="mean", clip={"quantile": 0.05})
    statistics = store.card.statistics["all"]
    # Wherever the outlier is, training rows hold no value that reads larger than their limit.
    found = inputs_of(store, 1, scaling="robust")[1, 0]
    limit = (statistics.high[0] - statistics.median[0]) / statistics.spread[0]
    assert found == pytest.approx(limit) and found < 10
    train = store.values_NF[np.repeat(store.split_S == 0, store.length_S), 0]
    quartiles = np.nanpercentile(train, (25, 50, 75))
    assert (statistics.median[0], statistics.spread[0]) == pytest.approx(
        (quartiles[1], quartiles[2] - quartiles[0])
    )
    (tmp_path / "as is").mkdir()
    store = store_of(tmp_path / "as is", lines, missing="mean")
    assert inputs_of(store, 1, scaling="robust")[1, 0] > 1e4


@pytest.mark.parametrize(
    "data", [{"clip": {"sigma": 4}}, {"categories": ["x"]}, {"calendar": ["hour"]}]
)
def test_a_text_has_no_numbers_to_treat(tmp_path: Path, data: dict[str, Any]) -> None:
    lines = [{"text": f"word {i}", "x": "a", "label": "ab"[i % 2]} for i in range(20)]
    made.write_rows(tmp_path / "rows.csv", lines)
    section = {"train": "rows.csv", "text": "text", "target": "label"} | data
    with pytest.raises(DataError) as refused:
        made.prepared(tmp_path, made.CLASSIFICATION, section)
    assert "data/text" in {m.code for m in refused.value.mistakes}
