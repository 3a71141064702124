"""Channels that are made: categories, calendar, rolling statistics; and rolling origins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import made
import numpy as np
import pandas as pd
import pytest

from tuner.data.calendar import later, waves
from tuner.data.config import DataConfig
from tuner.data.layout import Layout
from tuner.data.origins import spans
from tuner.data.store import Store
from tuner.errors import DataError
from tuner.tasks.forecasting import Forecasting

TASK = {"name": "forecasting", "horizon": 6}
DATA = {"train": "rows.csv", "id": "name", "time": "time", "missing": "forward", "test": 0.2}


def store_of(folder: Path, rows: list[dict[str, Any]], **data: Any) -> Store:
    made.write_rows(folder / "rows.csv", rows)
    return Store.open(made.prepared(folder, TASK, DATA | data))


def column(store: Store, name: str) -> np.ndarray:
    found: np.ndarray = store.values_NF[:, store.card.features.index(name)]
    return found


def test_a_category_is_one_of_its_training_values(tmp_path: Path) -> None:
    rows = made.rich_series()
    rows[120]["wind"] = "storm"
    store = store_of(tmp_path, rows, categories=["wind"], target="load")
    assert store.card.features == ("load", "heat", "sun", "size", "wind=N", "wind=S", "wind=W")
    for value in "NSW":
        expected = [float(row["wind"] == value) for row in rows]
        assert column(store, f"wind={value}").tolist() == expected
    (warning,) = [w for w in store.card.warnings if "unknown-category" in w]
    assert "1 rows" in warning and "'storm'" in warning
    # However the others are scaled, 0 and 1 stay.
    statistics = store.card.statistics["all"]
    assert statistics.mean[4:] == (0, 0, 0) and statistics.spread[4:] == (1, 1, 1)


def test_a_text_column_without_a_word_is_left_out(tmp_path: Path) -> None:
    store = store_of(tmp_path, made.rich_series(), target="load")
    assert store.card.features == ("load", "heat", "sun", "size")
    assert any("left-out" in warning for warning in store.card.warnings)


@pytest.mark.parametrize(("policy", "expected"), [("forward", 1), ("zero", 0), ("mean", np.nan)])
def test_a_missing_category_follows_the_policy(
    tmp_path: Path, policy: str, expected: float
) -> None:
    rows = made.rich_series()
    rows[9]["wind"], rows[10]["wind"] = "S", ""
    store = store_of(tmp_path, rows, categories=["wind"], target="load", missing=policy)
    assert column(store, "wind=S")[10] == pytest.approx(expected, nan_ok=True)
    assert store.observed_NF is not None and store.observed_NF[10, 4:].tolist() == [0, 0, 0]


def test_categories_of_labelled_sequences(tmp_path: Path) -> None:
    rows = [
        {"id": f"s{i}", "step": t, "x": i + t / 9, "wind": "NSW"[(i + t) % 3], "label": "ab"[i % 2]}
        for i in range(20)
        for t in range(4)
    ]
    made.write_rows(tmp_path / "rows.csv", rows)
    data = {"train": "rows.csv", "id": "id", "time": "step", "target": "label"}
    folder = made.prepared(tmp_path, made.CLASSIFICATION, data | {"categories": ["wind"]})
    assert Store.open(folder).card.features == ("x", "wind=N", "wind=S", "wind=W")


def test_the_calendar_is_a_point_on_a_circle(tmp_path: Path) -> None:
    fields = ["minute", "hour", "weekday", "monthday", "yearday", "month"]
    store = store_of(tmp_path, made.rich_series(), calendar=fields, target="load")
    times = pd.date_range("2024-01-01", periods=150, freq="h")
    for name, place in {
        "minute": times.minute / 60,
        "hour": times.hour / 24,
        "weekday": times.day_of_week / 7,
        "monthday": (times.day - 1) / 31,
        "yearday": (times.day_of_year - 1) / 366,
        "month": (times.month - 1) / 12,
    }.items():
        angle = 2 * np.pi * np.asarray(place)
        np.testing.assert_allclose(column(store, f"{name} sin")[150:], np.sin(angle), atol=1e-6)
        np.testing.assert_allclose(column(store, f"{name} cos")[:150], np.cos(angle), atol=1e-6)
    assert store.card.layout.derived.ahead == ("microseconds", 3_600_000_000)


def test_months_go_on_by_the_calendar(tmp_path: Path) -> None:
    months = pd.date_range("2000-01-01", periods=60, freq="MS")
    rows = [{"time": str(t.date()), "x": i % 7} for i, t in enumerate(months)]
    store = store_of(tmp_path, rows, id=None, calendar=["month"])
    step = store.card.layout.derived.ahead
    assert step == ("months", 1)
    moments = months.to_numpy().astype("datetime64[us]").astype(np.int64)
    assert later(moments[:50], step, 10).tolist() == moments[10:].tolist()
    assert waves(moments, ["month"]).shape == (60, 2)


@pytest.mark.parametrize("statistic", ["mean", "std", "min", "max"])
def test_rolling_statistics_are_those_of_pandas(tmp_path: Path, statistic: str) -> None:
    rolling = {"windows": [3, 24], "statistics": [statistic]}
    store = store_of(tmp_path, made.rich_series(), rolling=rolling, target="load", missing="mean")
    for name in ("load", "heat"):
        for window in (3, 24):
            expected = []
            for offset, length in zip(store.offset_S, store.length_S, strict=True):
                values = pd.Series(column(store, name)[offset : offset + length].astype(float))
                rolled = values.rolling(window, min_periods=1)
                found = rolled.std(ddof=0) if statistic == "std" else getattr(rolled, statistic)()
                expected.append(found)
            np.testing.assert_allclose(
                column(store, f"{name} {statistic} {window}"), pd.concat(expected), atol=1e-4
            )


def test_the_layout_can_be_read_back(tmp_path: Path) -> None:
    rolling = {"windows": [3], "statistics": ["mean"]}
    store = store_of(
        tmp_path,
        made.rich_series(),
        **{"categories": ["wind"], "calendar": ["hour"], "known": ["sun"], "static": ["size"]},
        rolling=rolling,
        target="load",
    )
    layout = store.card.layout
    assert Layout.from_json(json.loads(json.dumps(layout.to_json()))) == layout
    assert layout.names == store.card.features
    assert layout.names[-2:] == ("load mean 3", "heat mean 3")
    roles = layout.roles
    assert [layout.names[f] for f in roles.known] == ["sun", "hour sin", "hour cos"]
    assert [layout.names[f] for f in roles.static] == ["size"]
    assert [layout.names[f] for f in roles.plain] == [
        *("wind=N", "wind=S", "wind=W", "hour sin", "hour cos"),
    ]


def test_what_is_not_named_as_target_is_none_if_it_is_known(tmp_path: Path) -> None:
    store = store_of(tmp_path, made.rich_series(), known=["sun"], static=["size"])
    assert store.card.target_names == ("load", "heat")


BAD: list[tuple[str, str, dict[str, Any], dict[int, dict[str, Any]]]] = [
    ("absent-column", "`data/categories` | 'gust' | 'wind'", {"categories": ["gust"]}, {}),
    ("absent-column", "`data/known` | 'gust'", {"known": ["gust"]}, {}),
    ("no-feature", "data/static | 'wind' | `data/categories`", {"static": ["wind"]}, {}),
    ("target-known", "data/known | 'load'", {"known": ["load"]}, {}),
    ("covariates", "data/known | 'size'", {"known": ["size"], "static": ["size"]}, {}),
    ("static-varies", "'size' | line 9 | 1 rows", {"static": ["size"]}, {7: {"size": 7}}),
    ("missing-value", "'wind' | line 9 | 1 missing",
     {"categories": ["wind"], "missing": "error", "features": ["load", "sun"]}, {7: {"wind": ""}}),
    ("calendar", "`data/time` | no time", {"calendar": ["hour"], "time": None}, {}),
    ("target-feature", "wind", {"categories": ["wind"], "features": ["load", "wind"]}, {}),
    ("many-categories", "'time' | 100 | 150", {"categories": ["time"], "time": None}, {}),
    ("too-short", "validation split | most 5", {"validation": {"origins": 20}}, {}),
    ("too-short", "first origin's train split | 7 rows", {"validation": {"origins": 19}}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "parts", "data", "changes"), BAD)
def test_is_refused(
    tmp_path: Path, code: str, parts: str, data: dict[str, Any], changes: dict[int, Any]
) -> None:
    rows = made.rich_series()
    for place, change in changes.items():
        rows[place].update(change)
    with pytest.raises(DataError) as refused:
        store_of(tmp_path, rows, **{"target": "load", **data})
    mistakes = refused.value.mistakes
    assert [m.code for m in mistakes] == [f"data/{code}"], str(refused.value)
    for part in parts.split(" | "):
        assert part in str(mistakes[0])
    assert mistakes[0].fix.endswith(".")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["rows.csv"]


@pytest.mark.parametrize(
    "data",
    [
        {"clip": {"sigma": 4, "quantile": 0.1}},
        {"clip": {}},
        {"clip": {"quantile": 0.5}},
        {"rolling": {"windows": [1], "statistics": ["mean"]}},
        {"rolling": {"windows": [3], "statistics": ["mode"]}},
        {"calendar": ["decade"]},
        {"known": ["x", "x"]},
        {"validation": {"origins": 1}},
    ],
)
def test_a_section_that_makes_no_sense_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        DataConfig.model_validate({"train": "rows.csv"} | data)


def test_origins_move_on_with_a_gap_of_one_horizon() -> None:
    found = [spans(np.array([100, 43]), 3, fold, 6) for fold in range(3)]
    assert [tuple(map(list, each)) for each in found] == [
        ([19, 7], [25, 13], [50, 23]),
        ([44, 17], [50, 23], [75, 33]),
        ([69, 27], [75, 33], [100, 43]),
    ]


def test_each_fold_learns_from_what_lies_before_it(tmp_path: Path) -> None:
    store = store_of(tmp_path, made.rich_series(), validation={"origins": 3}, target="load")
    assert store.card.num_folds == 3 and store.bounds["train_end"].tolist() == [120, 120]
    found = forecasting(store)
    scored: list[int] = []
    for fold in range(3):
        train, validation = (
            found.rows(store, split, fold)  # type: ignore[arg-type]
            for split in ("train", "validation")
        )
        for offset in store.offset_S:
            learned, ranked = (
                rows[(rows > offset) & (rows <= offset + 150)] - offset
                for rows in (train, validation)
            )
            assert learned.max() + 6 + 6 == ranked.min() == 30 * (fold + 1)
            assert ranked.max() + 6 == 30 * (fold + 2)
            scored += (ranked + offset).tolist()
        begin = np.concatenate([o + np.arange(30 * (fold + 1) - 6) for o in store.offset_S])
        load = column(store, "load")[begin].astype(float)
        assert store.card.statistics[str(fold)].mean[0] == pytest.approx(load.mean())
    assert len(set(scored)) == len(scored)
    # The test rows stay, and a final model learns from all before them.
    assert found.rows(store, "test", None).min() == 120
    assert found.rows(store, "train", None).max() == 150 + 120 - 6


def forecasting(store: Store) -> Forecasting:
    from tuner.config import TrialConfig, make_task

    found = make_task(TASK, TrialConfig.from_values({}, TASK), store.card, None)
    assert isinstance(found, Forecasting)
    return found
