"""Rows and columns of a leaderboard as somebody asks for them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from boards import BOARD

from tuner.errors import CommandError
from tuner.results import tables
from tuner.results.select import Selection, select
from tuner.results.show import write_leaderboard


def numbers(**wanted: Any) -> list[int]:
    return [found.number for found in select(BOARD, Selection(**wanted)).rows]


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["model/cell=lstm"], [0, 2]),
        (["model/cell!=lstm"], [1, 3]),
        (["model/cell="], [3]),
        (["value>=0.8"], [0, 1]),
        (["value < 0.8"], [2]),
        (["value=0.80"], [1]),
        (["state=COMPLETE", "seconds<=9"], [1, 2]),
        (["tie=true"], [0]),
        (["tie="], [2, 3]),
        (["note=a=b"], [3]),
        ([], [0, 1, 2, 3]),
    ],
)
def test_conditions_all_hold(conditions: list[str], expected: list[int]) -> None:
    assert numbers(where=conditions) == expected


@pytest.mark.parametrize(
    ("sort", "top", "expected"),
    [
        ("seconds", None, [3, 2, 1, 0]),
        ("-value", None, [0, 1, 2, 3]),
        ("value", 2, [2, 1]),
        ("model/cell", None, [1, 0, 2, 3]),
        ("", 1, [0]),
        ("", 99, [0, 1, 2, 3]),
    ],
)
def test_what_is_missing_comes_last(sort: str, top: int | None, expected: list[int]) -> None:
    assert numbers(sort=sort, top=top) == expected


@pytest.mark.parametrize(
    ("wanted", "parts"),
    [
        ({"columns": ["trial", "vlaue"]}, ["'vlaue'", "Did you mean 'value'?", "--columns"]),
        ({"sort": "-scond"}, ["'scond'", "--sort"]),
        ({"where": ["cell=lstm"]}, ["'cell'", "Did you mean 'model/cell'?"]),
        ({"columns": ["xyz"]}, ["'xyz'", "There are: trial, rank"]),
        ({"where": ["model/cell~lstm"]}, ["must be COLUMN=VALUE", "'model/cell~lstm'"]),
        ({"where": ["model/cel=lstm"]}, ["Did you mean 'model/cell'?", "--where"]),
        ({"where": ["model/cell<3"]}, ["must compare numbers", "'lstm'"]),
        ({"where": ["value<much"]}, ["must compare numbers", "'much'"]),
    ],
)
def test_what_there_is_not_is_refused(wanted: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(CommandError) as refused:
        select(BOARD, Selection(**wanted))
    assert all(part in str(refused.value) for part in parts), refused.value


def test_all_mistakes_are_told_together() -> None:
    with pytest.raises(CommandError) as refused:
        select(BOARD, Selection(columns=["x", "y"], where=["z"], sort="w"))
    assert len(refused.value.mistakes) == 4


def test_every_format_holds_the_columns_in_their_order(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["model/cell", "trial"]
    chosen = select(BOARD, Selection(top=2))
    assert list(csv.reader(io.StringIO(tables.to_csv(chosen, names)))) == [
        names,
        ["lstm", "0"],
        ["gru", "1"],
    ]
    assert json.loads(tables.to_json(chosen, names))["trials"] == [
        {"model/cell": "lstm", "trial": 0},
        {"model/cell": "gru", "trial": 1},
    ]
    write_leaderboard(chosen, "parquet", tmp_path / "x.parquet", names)
    assert pq.read_table(tmp_path / "x.parquet").column_names == names
    write_leaderboard(chosen, "table", None, names)
    table = capsys.readouterr().out
    assert table.index("model/cell") < table.index("trial") and "gru" in table
    assert "0.8" not in table
