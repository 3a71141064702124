"""Times told by several columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest

from tuner.data.config import DataConfig
from tuner.data.layout import Layout
from tuner.data.predicting import read_for_prediction
from tuner.data.store import Store
from tuner.errors import DataError

TASK = {"name": "forecasting", "horizon": 6}
PIECES = ["year", "month", "day", "hour"]
DATA = {"train": "rows.csv", "time": PIECES, "target": "load", "test": 0.2}


def rows_of(num: int = 150, start: str = "2024-02-27T00:00") -> list[dict[str, Any]]:
    stamps = [str(np.datetime64(start) + np.timedelta64(t, "h")) for t in range(num)]
    return [
        {
            "time": stamp,
            "year": int(stamp[:4]),
            "month": int(stamp[5:7]),
            "day": int(stamp[8:10]),
            "hour": int(stamp[11:13]),
            "load": float(np.sin(t / 4)),
        }
        for t, stamp in enumerate(stamps)
    ]


def prepared(folder: Path, rows: list[dict[str, Any]], **data: Any) -> Store:
    folder.mkdir(exist_ok=True)
    made.write_rows(folder / "rows.csv", rows)
    return Store.open(made.prepared(folder, TASK, DATA | data))


def refusal(folder: Path, rows: list[dict[str, Any]], **data: Any) -> str:
    with pytest.raises(DataError) as refused:
        prepared(folder, rows, **data)
    return str(refused.value)


def test_columns_tell_the_time_that_one_would(tmp_path: Path) -> None:
    rows = rows_of()
    asked = {"calendar": ["hour", "weekday"], "validation": {"after": "2024-03-01 12:00"}}
    asked |= {"test": {"after": "2024-03-02 12:00"}}
    whole = prepared(tmp_path / "whole", rows, time="time", features=["load"], **asked)
    pieces = prepared(tmp_path / "pieces", rows, features=["load"], **asked)
    assert pieces.card.step_seconds == 3600
    assert pieces.card.features == whole.card.features
    assert np.array_equal(pieces.values_NF, whole.values_NF)
    assert pieces.card.num_steps == whole.card.num_steps


def test_they_are_no_inputs_and_the_layout_keeps_them(tmp_path: Path) -> None:
    rows = [{key: value for key, value in row.items() if key != "time"} for row in rows_of()]
    store = prepared(tmp_path, rows)
    assert store.card.features == ("load",)
    layout = Layout.from_json(store.card.layout.to_json())
    assert layout == store.card.layout and layout.time == tuple(PIECES)
    made.write_rows(tmp_path / "more.csv", [{"hour": 1, "load": 2.0}])
    with pytest.raises(DataError, match="no column 'year'"):
        read_for_prediction([tmp_path / "more.csv"], layout, [], warnings=[])


def test_rows_are_sorted_by_them(tmp_path: Path) -> None:
    rows = rows_of()
    told = refusal(tmp_path, rows[::-1])
    assert "data/unsorted" in told and "149 rows earlier" in told
    mended = prepared(tmp_path, rows[::-1], sort=True)
    assert np.array_equal(mended.values_NF, prepared(tmp_path / "sorted", rows).values_NF)


@pytest.mark.parametrize(
    ("piece", "value", "got"),
    [
        ("month", 13, "first year 2024, month 13, day 27, hour 0"),
        ("day", 30, "first year 2024, month 2, day 30, hour 0"),
        ("hour", 24, "first year 2024, month 2, day 27, hour 24"),
        ("hour", 0.5, "first year 2024, month 2, day 27, hour 0.5"),
        ("year", 0, "first year 0, month 2, day 27, hour 0"),
        ("day", "", "1 missing"),
    ],
)
def test_what_is_no_date_is_told_by_its_row(
    tmp_path: Path, piece: str, value: object, got: str
) -> None:
    rows = rows_of()
    rows[0][piece] = value
    told = refusal(tmp_path, rows)
    assert "'year' the year, 'month' the month, 'day' the day, 'hour' the hour" in told
    assert "line 2" in told and got in told and "[data/time]" in told


def test_other_mistakes_of_the_columns(tmp_path: Path) -> None:
    rows = rows_of()
    rows[3] = rows[2]
    assert "data/duplicate-time" in refusal(tmp_path, rows)
    assert "no column 'yr'" in refusal(tmp_path, rows_of(), time=["yr", "month"])
    rows[0]["day"] = "two"
    assert "data/not-a-number" in refusal(tmp_path, rows)
    told = refusal(tmp_path, rows_of(), time=["hour", "day", "month", "year"])
    assert "read as year, month, day, hour" in told
    with pytest.raises(ValueError, match="name every column once"):
        DataConfig.model_validate(DATA | {"time": ["year", "year"]})
    with pytest.raises(ValueError, match="at most 5 columns: year, month"):
        DataConfig.model_validate(DATA | {"time": [*"abcdef"]})
