"""What the registry is told of the columns that a request may hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from tuner.data.layout import Layout
from tuner.data.table import RawTable
from tuner.export.register import _typed, takes_of


@pytest.mark.parametrize(
    ("times", "kind"),
    [
        ([0, 1], "long"),
        ([0.0, 0.5], "double"),
        (["0", "1"], "double"),
        (["2018-01-31", "2018-02-01"], "string"),
        (["20180131", "20180201"], "string"),
        ([datetime(2018, 1, 31), datetime(2018, 2, 1)], "datetime"),
    ],
)
def test_times_have_the_type_that_they_were_read_by(times: list[Any], kind: str) -> None:
    columns = {"id": ["a", "a"], "when": times, "x": [1, 2], "sky": ["clear", "grey"]}
    table = RawTable("rows.csv", pa.table(columns), lambda row: f"row {row}")
    layout = Layout.from_json(
        Layout(id="id", time=("when",), features=("x",)).to_json()
        | {"derived": {**Layout().to_json()["derived"], "categories": [["sky", ["clear"]]]}}
    )
    takes = takes_of(table, layout)
    assert takes == {"id": "string", "when": kind, "x": "double", "sky": "string"}
    assert all(len(_typed(table, name, of)) == 2 for name, of in takes.items())
