"""The catalogue of bad data: each case is refused with its code, its place and a way out."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuner.data.card import TaskData
from tuner.data.config import DataConfig
from tuner.data.prepare import prepare
from tuner.errors import DataError

LABELLED = TaskData(kind="sequence")
SERIES = TaskData(kind="series", horizon=4)
BY_ID = {"train": "rows.csv", "id": "id", "time": "step", "target": "label"}
BY_TIME = {"train": "rows.csv", "time": "time", "validation": {"after": "2024-01-20"}}
ROWS = [
    "id,step,x,y,label",
    *(
        f"s{i:02d},{step},{i + step / 10},{(7 * i + step) % 5},{'ab'[i % 2]}"
        for i in range(20)
        for step in range(3)
    ),
]
OWN = [f"t{i},{step},{i + step / 9},{i % 4},{'ab'[i % 2]}" for i in range(4) for step in (0, 1)]
SHORT = [ROWS[0], *OWN]
DAYS = ["time,load,heat", *(f"2024-01-{day:02d},{day % 7},{day % 5}" for day in range(1, 31))]
TS = [
    *("@problemName made", "@univariate false", "@dimensions 2", "@classLabel true a b", "@data"),
    *(f"{i},{i + 1},{i + 2}:{i % 3},1,2:{'ab'[i % 2]}" for i in range(20)),
]
OBJECTS = [f'{{"id": "s{i}", "x": {i}.5, "label": "{"ab"[i % 2]}"}}' for i in range(20)]


def text(lines: list[str]) -> bytes:
    return "\n".join([*lines, ""]).encode()


def at(line: int, new: str, lines: list[str] = ROWS, encoding: str = "utf-8") -> bytes:
    """A good file with another line (counted from 1) in one place."""
    return text([*lines[: line - 1], new, *lines[line:]]).decode().encode(encoding)


def labels(a: str, b: str) -> bytes:
    """The good rows with other labels."""
    return text([ROWS[0], *(row[:-1] + {"a": a, "b": b}[row[-1]] for row in ROWS[1:])])


def without(lines: list[str], *columns: int) -> list[str]:
    """Rows without some columns."""
    cells = [line.split(",") for line in lines]
    return [",".join(c for place, c in enumerate(row) if place not in columns) for row in cells]


def parquet(**columns: Any) -> bytes:
    cells = [row.split(",") for row in ROWS[1:]]
    good: dict[str, Any] = {
        "id": [row[0] for row in cells],
        "x": [float(row[2]) for row in cells],
        "label": [row[4] for row in cells],
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(good | columns), buffer)
    return buffer.getvalue()


@dataclass(frozen=True)
class Case:
    """Files that are refused."""

    number: int
    """The catalogue's; 0 for what it leaves out."""
    code: str
    parts: str
    """What the message must hold, separated by bars."""
    files: Mapping[str, bytes | None]
    """Content by name; None makes a folder."""
    data: Mapping[str, Any]
    task: TaskData

    def __str__(self) -> str:
        return f"{self.number}-{self.code}-{'+'.join(self.files)}"


def one(number: int, code: str, parts: str, content: bytes | None, **data: Any) -> Case:
    """Labelled sequences in one CSV file."""
    return Case(number, code, parts, {"rows.csv": content}, BY_ID | data, LABELLED)


def two(number: int, code: str, parts: str, test: bytes, **data: Any) -> Case:
    """Labelled sequences with a test file."""
    files = {"rows.csv": text(ROWS), "test.csv": test}
    return Case(number, code, parts, files, BY_ID | {"test": "test.csv"} | data, LABELLED)


def of(extension: str, number: int, code: str, parts: str, content: bytes, **data: Any) -> Case:
    """Labelled sequences in a file of another format, without times."""
    file = f"rows.{extension}"
    section = {**BY_ID, "train": file, "time": None, **data}
    return Case(number, code, parts, {file: content}, section, LABELLED)


def cut(number: int, code: str, parts: str, content: bytes, **data: Any) -> Case:
    """One series."""
    return Case(number, code, parts, {"rows.csv": content}, BY_TIME | data, SERIES)


ZONED = [DAYS[0], *(day.replace(",", "T00:00+00:00,", 1) for day in DAYS[1:])]
HOLLOW = text([ROWS[0], *(f"{row[:5]},,1,{row[-1]}" for row in ROWS[1:])])
LATE = {"test": "test.csv", "validation": 0.2}
CASES = [
    Case(35, "missing", "no such file | rows.csv", {}, BY_ID, LABELLED),
    one(35, "folder", "rows.csv | Name the files in it", None),
    one(36, "empty", "zero bytes", b""),
    one(37, "no-rows", "rows.csv", text([ROWS[0], "", ""])),
    of("parquet", 37, "no-rows", "rows.parquet", parquet(id=[], x=[], label=[])),
    of("jsonl", 37, "no-rows", "rows.jsonl", b"\n\n"),
    of("ts", 37, "no-rows", "rows.ts", text(TS[:5])),
    of("parquet", 38, "content", "whole | rows.parquet", parquet()[:-40]),
    one(39, "content", "Parquet instead of text", parquet()),
    one(39, "content", "gzip instead of text", b"\x1f\x8b\x08\x00abc"),
    of("parquet", 39, "content", "rows.parquet", text(ROWS)),
    of("jsonl", 39, "syntax", f"line 1 | {ROWS[0]}", text(ROWS)),
    of("ts", 39, "content", "line 1 | `@data`", text(ROWS)),
    of("xlsx", 39, "extension", "'.xlsx' | .parquet", text(ROWS)),
    one(39, "format", "'cvs' | Did you mean 'csv'", text(ROWS), format="cvs"),
    one(40, "encoding", "offset 0 | `encoding: utf-16`", text(ROWS).decode().encode("utf-16")),
    one(40, "encoding", "byte 0xe9 at offset 23 | latin-1", at(2, "s00,0\xe9", encoding="latin-1")),
    one(40, "encoding", "'utf-9'", text(ROWS), encoding="utf-9"),
    one(42, "ragged-row", "line 4 | 5 columns | 4: 's00,9,1,a'", at(4, "s00,9,1,a")),
    one(42, "quote", "line 4", at(4, 's00,2,1,"1\n2",a')),
    of("ts", 42, "ragged-row", "line 8 | 1 channels instead of 2", at(8, "1,2,3:a", TS)),
    of("ts", 42, "ragged-row", "line 8 | 2 and 3 values", at(8, "1,2,3:1,2:a", TS)),
    one(43, "delimiter", "one column | `delimiter: ';'`", text(ROWS).replace(b",", b";")),
    one(44, "duplicate-columns", "'x'", at(1, "id,step,x,x,label")),
    of("jsonl", 44, "duplicate-columns", "line 3 | 'x' twice", at(3, '{"x": 1, "x": 2}', OBJECTS)),
    one(45, "absent-column", "'klass' | 'id', 'step', 'x', 'y'", text(ROWS), target="klass"),
    one(45, "absent-column", "'z' | 'y'", text(ROWS), features=["x", "z"]),
    one(45, "absent-column", "`data/id` | 'id'", text(ROWS), id=None),
    one(46, "target-feature", "label", text(ROWS), features=["x", "label"]),
    cut(46, "target-feature", "load", text(DAYS), features=["heat"], target="load"),
    one(47, "missing-label", "'label' | line 5 | 1 missing", at(5, "s01,0,1,2,")),
    cut(47, "missing-target", "'load' | line 9 | 1 missing of 30", at(9, "2024-01-08,,3", DAYS)),
    one(48, "missing-value", "'x' | line 5 | `missing: forward`", at(5, "s01,0,,2,b")),
    of("ts", 48, "missing-value", "'1' | line 8", at(8, "1,?,3:1,2,3:a", TS)),
    one(49, "infinite", "'x' | line 5 | 1 infinite", at(5, "s01,0,-inf,2,b")),
    one(50, "overflow", "'x' | line 5 | 1e+39", at(5, "s01,0,1e39,2,b")),
    one(51, "not-a-number", "'x' | line 5 | '12,5' | with a point", at(5, 's01,0,"12,5",2,b')),
    one(51, "time", "line 5 | 'soon'", at(5, "s01,soon,1,2,b")),
    of("ts", 51, "not-a-number", "line 8 | 'z'", at(8, "1,z,3:1,2,3:a", TS)),
    of("jsonl", 51, "mixed-types", "line 3 | 'x' | text", at(3, '{"id": "s", "x": "1"}', OBJECTS)),
    cut(52, "time-zones", "line 9 | 1 with a time", at(9, "2024-01-08T00:00Z,1,3", DAYS)),
    cut(52, "time-zones", "line 9 | +01:00", at(9, "2024-01-08T00:00+01:00,1,3", ZONED)),
    one(53, "duplicate-time", "line 6 | 1 rows", at(6, "s01,0,1,2,b")),
    one(54, "unsorted", "line 7 | `sort: true`", at(7, "s01,-1,1,2,b")),
    of("ts", 56, "empty-sequence", "line 8", at(8, ":1,2,3:a", TS)),
    cut(57, "too-short", "4 rows or more | most 2", text(DAYS), validation={"after": "2024-01-29"}),
    one(58, "too-long", "2 steps | 20 longer | `truncate: start`", text(ROWS), max_length=2),
    of("ts", 59, "label-range", "line 8 | 'c'", at(8, "1,2,3:1,2,3:c", TS)),
    one(60, "single-class", "'a'", labels("a", "a")),
    two(61, "unseen-class", "'c'", text([*SHORT, "t9,0,1,2,c"])),
    one(63, "all-missing", "'x' | 60 rows", HOLLOW, features=["x", "y"], missing="mean"),
    two(64, "shared-id", "'s03' | test.csv line 2", text([ROWS[0], "s03,0,1,2,a", *OWN])),
    Case(65, "split-order", "1 earlier rows | test.csv line 2",
         {"rows.csv": text(DAYS), "test.csv": text([DAYS[0], "2023-01-01,1,2", "2024-02-01,1,2"])},
         BY_TIME | LATE, SERIES),
    cut(65, "split-order", "data/test", text(DAYS), test={"after": "2024-01-10"}),
    two(66, "shared-rows", "16 of 20", text([ROWS[0], *(f"t{row[1:]}" for row in ROWS[1:])])),
    one(69, "mixed-labels", "1 beside 'a'", labels("a", "1")),
    one(69, "labels", "0.5, 1.5", labels("0.5", "1.5")),
    one(69, "label-varies", "line 6 | 1 rows", at(6, "s01,1,1,2,a")),
    one(70, "empty-split", "test split | none", text(ROWS), test=0.01),
    one(70, "empty-split", "20 folds | 4 training", text(SHORT), validation={"folds": 20}),
    two(72, "columns-differ", "test.csv | 'y'", text(without(SHORT, 3))),
    of("jsonl", 72, "columns-differ", "line 1001 | 'z'", text([*OBJECTS * 50, '{"z": 1}'])),
    of("parquet", 75, "column-type", "'x' | list", parquet(x=[[1.0]] * 60)),
    one(0, "no-time", "data/test", text(ROWS), time=None, test={"after": 3}),
    one(0, "moment", "'2024-01-01'", text(ROWS), test={"after": "2024-01-01"}),
    one(0, "span", "'2' to '1'", text(ROWS), test={"after": "2", "until": "1"}),
    one(0, "no-features", "id, label", text(without(ROWS, 1, 2, 3)), time=None),
    one(0, "missing-id", "line 5", at(5, ",0,1,2,b")),
    one(0, "target", "'x', 'label'", text(ROWS), target=["x", "label"]),
    one(0, "tokens", "'wrod' | Did you mean 'word'", text(ROWS), tokens="wrod"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_is_refused(case: Case, tmp_path: Path) -> None:
    for name, content in case.files.items():
        if content is None:
            (tmp_path / name).mkdir()
        else:
            (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as refused:
        config = DataConfig.model_validate(case.data)
        prepare(config, case.task, tmp_path, tmp_path / "data", seed=0)
    mistakes = refused.value.mistakes
    assert {m.code for m in mistakes} == {f"data/{case.code}"}, str(refused.value)
    for part in case.parts.split(" | "):
        assert part in str(mistakes[0])
    assert mistakes[0].fix.endswith(".")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(case.files), "nothing is created"


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(at(5, "s01,0,x,2,b").replace(b"s02,1,", b"s02,9,"))
    (tmp_path / "other.csv").write_bytes(text([ROWS[0], "t0,0,1,inf,"]))
    section = BY_ID | {"train": ["rows.csv", "absent.csv"], "test": "other.csv"}
    with pytest.raises(DataError) as refused:
        config = DataConfig.model_validate(section)
        prepare(config, LABELLED, tmp_path, tmp_path / "data", seed=0)
    assert [m.code.removeprefix("data/") for m in refused.value.mistakes] == [
        *("missing", "not-a-number", "infinite", "unsorted", "missing-label")
    ]


def test_unknown_names_are_told_with_what_is_wrong_with_the_data(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_bytes(at(5, "s01,0,x,2,b"))
    (tmp_path / "other.data").write_bytes(text(SHORT))
    section = BY_ID | {"test": "other.data", "format": "cvs", "tokens": "wrod"}
    with pytest.raises(DataError) as refused:
        config = DataConfig.model_validate(section)
        prepare(config, LABELLED, tmp_path, tmp_path / "data", seed=0)
    codes = [m.code.removeprefix("data/") for m in refused.value.mistakes]
    assert codes == ["format", "tokens", "not-a-number"], str(refused.value)
