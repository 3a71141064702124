"""Prediction from raw files reads, at the last measured row, exactly what training read there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest

from tuner.config import TrialConfig, make_task
from tuner.data.layout import Layout
from tuner.data.predicting import read_for_prediction
from tuner.data.store import Steps, Store
from tuner.errors import DataError
from tuner.tasks._base import Facts
from tuner.tasks.forecasting import Config, Forecasting, InputConfig

HORIZON, LAST = 6, 130
TASK = {"name": "forecasting", "horizon": HORIZON, "quantiles": [0.1, 0.5, 0.9]}
DATA = {
    "train": "rows.csv",
    "id": "name",
    "time": "time",
    "missing": "forward",
    "target": ["load", "heat"],
    "categories": ["wind"],
    "calendar": ["hour", "weekday"],
    "static": ["size"],
    "rolling": {"windows": [5], "statistics": ["mean", "max"]},
    "clip": {"sigma": 2},
}
KNOWN = {"known": ["sun"]}
INPUTS = {
    "look_back": 24,
    "patch": 2,
    "scaling": "robust",
    "normalization": "last",
    "smooth": 3,
    "missing_mask": True,
    "spectral": 3,
}
MEASURED = ("load", "heat", "wind", "size")


def cut(rows: list[dict[str, Any]], ahead: int) -> list[dict[str, Any]]:
    """The first `LAST` hours of each series, and some that tell only what is known ahead."""
    found = []
    for place, row in enumerate(rows):
        hour = place % 150
        if hour < LAST:
            found.append(row)
        elif hour < LAST + ahead:
            found.append({**row, **dict.fromkeys(MEASURED, "")})
    return found


def prepared(folder: Path, **data: Any) -> tuple[Store, list[dict[str, Any]]]:
    rows = made.rich_series()
    made.write_rows(folder / "rows.csv", rows)
    return Store.open(made.prepared(folder, TASK, DATA | data)), rows


def read(folder: Path, store: Store, rows: list[dict[str, Any]]) -> Steps:
    """As from a bundle: the layout through JSON."""
    made.write_rows(folder / "new.csv", rows)
    layout = Layout.from_json(json.loads(json.dumps(store.card.layout.to_json())))
    return read_for_prediction([folder / "new.csv"], layout, (), horizon=HORIZON, warnings=[])


@pytest.mark.parametrize("channels", ["mixed", "shared"])
@pytest.mark.parametrize("known", [KNOWN, {}], ids=["known", "calendar"])
def test_every_step_is_repeated(tmp_path: Path, known: dict[str, Any], channels: str) -> None:
    store, rows = prepared(tmp_path, **known)
    values = {f"data/{k}": v for k, v in (INPUTS | {"channels": channels}).items()}
    trained = make_task(TASK, TrialConfig.from_values(values, TASK), store.card, None)
    facts = Facts.from_json(json.loads(json.dumps(trained.facts.to_json())))
    used = Forecasting(Config(**TASK), InputConfig(**INPUTS, channels=channels), facts)  # type: ignore[arg-type]
    steps = read(tmp_path, store, cut(rows, HORIZON if known else 0))
    expected = trained.batch(store, store.offset_S + LAST)
    found = used.batch(steps, used.prediction_rows(steps))
    for name in ("inputs", "shift", "scale"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-6)
    outputs = np.zeros((len(found.inputs), used.num_outputs), dtype=np.float32)
    columns = used.decode(steps, used.prediction_rows(steps), outputs, found)
    assert columns["id"] == ["series 0"] * HORIZON + ["series 1"] * HORIZON


def test_more_rows_than_the_horizon_may_be_known(tmp_path: Path) -> None:
    store, rows = prepared(tmp_path, **KNOWN)
    steps = read(tmp_path, store, cut(rows, HORIZON + 3))
    assert steps.ahead_S is not None and steps.ahead_S.tolist() == [9, 9]


def test_series_of_several_ends_go_on_from_each(tmp_path: Path) -> None:
    store, rows = prepared(tmp_path)
    steps = read(tmp_path, store, rows[:100] + rows[150:])
    found = make_task(TASK, TrialConfig.from_values({}, TASK), store.card, None)
    assert found.prediction_rows(steps).tolist() == [100, 100 + HORIZON + 150]
    hour = store.card.features.index("hour sin")
    np.testing.assert_allclose(
        steps.values_NF[100 : 100 + HORIZON, hour], store.values_NF[100 : 100 + HORIZON, hour]
    )


def test_a_category_that_training_never_saw_is_told(tmp_path: Path) -> None:
    store, rows = prepared(tmp_path)
    rows[3]["wind"] = "storm"
    made.write_rows(tmp_path / "new.csv", rows)
    warnings: list[str] = []
    steps = read_for_prediction(
        [tmp_path / "new.csv"], store.card.layout, (), horizon=HORIZON, warnings=warnings
    )
    assert len(warnings) == 1 and "1 rows" in warnings[0] and "'storm'" in warnings[0]
    wind = [f for f, name in enumerate(store.card.features) if name.startswith("wind")]
    assert not steps.values_NF[3, wind].any()


@pytest.mark.parametrize(
    ("code", "part", "change"),
    [
        ("known-ahead", "6 rows | 'sun' | 4 of 134 rows in 'series 0'", "short"),
        ("known-ahead", "complete for the horizon | 1 rows", "hole"),
        ("missing-value", "'load' | line 4", "past"),
        ("absent-column", "'sun'", "column"),
    ],
)
def test_is_refused(tmp_path: Path, code: str, part: str, change: str) -> None:
    whole = {"missing": "error", "features": ["load", "sun", "size"], "target": "load"}
    store, rows = prepared(tmp_path, **KNOWN, **whole)
    new = cut(rows, 4 if change == "short" else HORIZON)
    if change == "hole":
        new[LAST + 2]["sun"] = ""
    if change == "past":
        new[2]["load"] = ""
    if change == "column":
        new = [{k: v for k, v in row.items() if k != "sun"} for row in new]
    with pytest.raises(DataError) as refused:
        read(tmp_path, store, new)
    assert [m.code for m in refused.value.mistakes] == [f"data/{code}"], str(refused.value)
    for text in part.split(" | "):
        assert text in str(refused.value)


def test_targets_of_a_trial_are_the_same_with_and_without_covariates(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with_all, _ = prepared(tmp_path / "a", **KNOWN)
    made.write_rows(tmp_path / "b" / "rows.csv", made.rich_series())
    names = ("train", "id", "time", "missing", "target")
    without = Store.open(made.prepared(tmp_path / "b", TASK, {n: DATA[n] for n in names}))
    batches = []
    for store in (with_all, without):
        task = make_task(TASK, TrialConfig.from_values({}, TASK), store.card, None)
        batches.append(task.batch(store, task.rows(store, "validation", None)))
    for name in ("targets", "weights"):
        np.testing.assert_array_equal(*(getattr(batch, name) for batch in batches))
