"""What is accepted, what is warned of, and what stays on the disk."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuner import registry
from tuner.data.card import DataCard, TaskData
from tuner.data.config import DataConfig
from tuner.data.prepare import changed_files, prepare
from tuner.data.store import CARD, STEPS, Store
from tuner.errors import DataError

LABELLED = TaskData(kind="sequence")
SERIES = TaskData(kind="series", horizon=2)


def rows(num: int = 12) -> list[list[str]]:
    return [
        [f"s{i}", str(t), f"{i + t / 8}", f"{(i * 5 + t) % 7}", "ab"[i % 2]]
        for i in range(num)
        for t in range(2)
    ]


def prepared(
    folder: Path, lines: list[list[str]], header: str = "id,step,x,y,label", **data: Any
) -> Store:
    text = "\n".join([header, *map(",".join, lines)])
    (folder / "rows.csv").write_text(text, encoding=data.get("encoding", "utf-8"))
    section = {"train": "rows.csv", "id": "id", "time": "step", "target": "label", **data}
    task = LABELLED if section["target"] == "label" else SERIES
    prepare(DataConfig.model_validate(section), task, folder, folder / "data", 0)
    return Store.open(folder / "data")


def series(folder: Path, values: list[Any], times: list[str] | None = None, **data: Any) -> Store:
    lines = [["s", times[i] if times else str(i), str(v), str(i % 3)] for i, v in enumerate(values)]
    return prepared(folder, lines, "id,step,x,y", target=data.pop("target", None), **data)


def test_is_mapped_without_copying(tmp_path: Path) -> None:
    store = prepared(tmp_path, rows())
    assert store.values_NF.dtype == np.float32 and store.offset_S.dtype == np.int64
    assert store.length_S.dtype == store.label_S.dtype == np.int32
    assert store.split_S.dtype == store.fold_S.dtype == np.int8
    assert not store.values_NF.flags.writeable and not store.values_NF.flags.owndata
    assert store.observed_NF is None and not store.bounds
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "rows.csv"]


def test_the_card_can_be_read_back(tmp_path: Path) -> None:
    card = prepared(tmp_path, rows(), validation={"folds": 2}).card
    assert DataCard.loads(card.dumps()) == card
    assert card.layout.features == ("x", "y") == card.features
    assert str(tmp_path) not in json.dumps(card.to_json())


@pytest.mark.parametrize("name", [CARD, STEPS])
def test_a_torn_preparation_is_refused(tmp_path: Path, name: str) -> None:
    prepared(tmp_path, rows())
    file = tmp_path / "data" / name
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(DataError, match="data/preparation"):
        Store.open(tmp_path / "data")
    file.unlink()
    with pytest.raises(DataError, match=f"no {name}"):
        Store.open(tmp_path / "data")


def edited(lines: list[list[str]], column: int, value: Any) -> list[list[str]]:
    return [[*row[:column], str(value(row)), *row[column + 1 :]] for row in lines]


@pytest.mark.parametrize(
    ("code", "part", "lines"),
    [
        ("irregular", "1 of 13 steps", [*rows(), ["s11", "7", "1", "1", "b"]]),
        ("constant", "'y' is 3", edited(rows(), 3, lambda r: 3)),
        ("target-feature", "'y'", edited(rows(), 3, lambda r: "ab".index(r[4]))),
        ("left-out", "y", edited(rows(), 3, lambda r: f"word {r[3]}")),
        ("rare-class", "'c'", [*rows(), ["t", "0", "9", "1", "c"]]),
    ],
)  # fmt: skip
def test_warnings(tmp_path: Path, code: str, part: str, lines: list[list[str]]) -> None:
    found = prepared(tmp_path, lines, validation={"folds": 2}).card.warnings
    assert [w for w in found if w.endswith(f"[data/{code}]") and part in w], found


def test_good_data_give_no_warnings(tmp_path: Path) -> None:
    assert prepared(tmp_path, rows(), test=0.2).card.warnings == ()


def test_a_twin_of_the_target_is_told(tmp_path: Path) -> None:
    lines = [["s", str(i), str(i * i), str(i * i)] for i in range(20)]
    found = prepared(tmp_path, lines, "id,step,x,y", target="x").card.warnings
    assert any("'y' equals the target 'x'" in warning for warning in found)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    lines = edited(rows(), 4, lambda r: {"a": "caf\u00e9", "b": "th\u00e9"}[r[4]])
    assert prepared(tmp_path, lines, encoding=encoding).card.labels == ("caf\u00e9", "th\u00e9")


def test_whole_labels_are_numbers(tmp_path: Path) -> None:
    lines = edited(rows(30), 4, lambda r: ["2.0", "10.0", "9.0"][int(r[0][1:]) % 3])
    assert prepared(tmp_path, lines).card.labels == ("2", "9", "10")


def test_a_column_of_texts_changes_no_number(tmp_path: Path) -> None:
    stores = []
    for note in (" 7 ", "red"):
        folder = tmp_path / note.strip()
        folder.mkdir()
        lines = [[*line, note] for line in edited(rows(), 2, lambda r: f" {r[2]} ")]
        header = "id,step,x,y,label,note"
        stores.append(prepared(folder, lines, header, features=["x", "y"]))
    numbers, texts = stores
    assert np.array_equal(numbers.values_NF, texts.values_NF)
    assert numbers.card.statistics == texts.card.statistics


def test_a_files_own_dictionary_says_nothing(tmp_path: Path) -> None:
    names = np.array([f"s{i % 12}" for i in range(24)])
    plain = {"id": names, "label": np.where(names < "s5", "a", "b"), "x": np.arange(24.0) ** 0.5}
    own = plain | {
        "id": pa.DictionaryArray.from_arrays(
            pa.array([11 - i % 12 for i in range(24)], pa.int8()),
            pa.array([f"s{11 - i}" for i in range(12)] + ["nobody"]),
        )
    }
    stores = []
    for name, columns in (("plain", plain), ("own", own)):
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
        section = {"train": f"{name}.parquet", "id": "id", "target": "label"}
        prepare(DataConfig.model_validate(section), LABELLED, tmp_path, tmp_path / name, 0)
        stores.append(Store.open(tmp_path / name))
    assert list(stores[0].ids) == list(stores[1].ids) == [f"s{i}" for i in range(12)]
    assert np.array_equal(stores[0].values_NF, stores[1].values_NF)


def test_statistics_are_those_of_training_rows(tmp_path: Path) -> None:
    lines = rows()
    lines[5][2] = ""
    store = prepared(tmp_path, lines, missing="mean")
    train_NF = store.values_NF[np.repeat(store.split_S == 0, store.length_S)].astype(np.float64)
    found = store.card.fitted(None)
    for values, of in (
        (found.mean, np.nanmean),
        (found.std, np.nanstd),
        (found.minimum, np.nanmin),
        (found.maximum, np.nanmax),
    ):
        assert values == pytest.approx(of(train_NF, axis=0), rel=1e-12)


def test_rows_can_be_sorted(tmp_path: Path) -> None:
    good = prepared(tmp_path, rows())
    (tmp_path / "other").mkdir()
    mixed = prepared(tmp_path / "other", rows()[::-1], sort=True)
    by_id = {mixed.ids[i]: int(o) for i, o in enumerate(mixed.offset_S)}
    for name, offset in zip(good.ids, good.offset_S, strict=True):
        other = mixed.values_NF[by_id[name] : by_id[name] + 2]
        np.testing.assert_array_equal(good.values_NF[offset : offset + 2], other)


@pytest.mark.parametrize(("side", "kept"), [("start", [2, 3]), ("end", [0, 1])])
def test_truncation(tmp_path: Path, side: str, kept: list[int]) -> None:
    lines = [[f"s{i}", str(t), str(t), str(i), "ab"[i % 2]] for i in range(8) for t in range(4)]
    store = prepared(tmp_path, lines, max_length=2, truncate=side)
    assert store.values_NF[:, 0].reshape(8, 2).tolist() == [kept] * 8


@pytest.mark.parametrize(
    ("policy", "filled"),
    [
        ("forward", [None, 1, 1, 3, 3, 3, 6]),
        ("zero", [0, 1, 0, 3, 0, 0, 6]),
        ("mean", [None, 1, None, 3, None, None, 6]),
    ],
)
def test_missing_values_are_filled_from_the_past(
    tmp_path: Path, policy: str, filled: list[float | None]
) -> None:
    holes = ["", 1, "", 3, "", "NA", 6]
    lines = [[s, str(t), str(v), "1"] for s in "pq" for t, v in enumerate(holes)]
    store = prepared(tmp_path, lines, "id,step,x,y", target=None, missing=policy, validation=0.3)
    expected = [np.nan if v is None else v for v in filled] * 2
    np.testing.assert_array_equal(store.values_NF[:, 0], np.array(expected, np.float32))
    assert store.observed_NF is not None
    assert store.observed_NF[:7, 0].tolist() == [0, 1, 0, 1, 0, 0, 1]
    assert store.card.num_missing == 8


def test_a_split_without_targets_is_refused(tmp_path: Path) -> None:
    values = [*range(16), "", "", "", ""]
    with pytest.raises(DataError, match="none of 'x'") as refused:
        series(tmp_path, values, missing="forward", target="x")
    assert refused.value.mistakes[0].code == "data/missing-target"


@pytest.mark.parametrize(
    ("times", "seconds"),
    [
        ([f"2024-01-{d:02d}" for d in range(1, 21)], 86400.0),
        ([f"202401{d:02d}" for d in range(1, 21)], 86400.0),
        ([f"2024-01-01T00:{m:02d}:00Z" for m in range(0, 40, 2)], 120.0),
        ([f"{2000 + m // 12}-{m % 12 + 1:02d}" for m in range(20)], None),
        ([str(m / 4) for m in range(20)], None),
    ],
)
def test_steps_of_time(tmp_path: Path, times: list[str], seconds: float | None) -> None:
    card = series(tmp_path, list(range(20)), times).card
    assert card.step_seconds == seconds
    assert card.warnings == (), "months are regular, too"


def test_series_name_their_channels(tmp_path: Path) -> None:
    card = series(tmp_path, list(range(20)), target=["y"]).card
    assert (card.target_channels, card.target_names, card.labels) == ((1,), ("y",), ())


def test_changed_files_are_told(tmp_path: Path) -> None:
    card = prepared(tmp_path, rows()).card
    assert changed_files(card, tmp_path) == []
    (tmp_path / "rows.csv").write_text("id\n")
    assert [m.code for m in changed_files(card, tmp_path)] == ["data/changed"]
    (tmp_path / "rows.csv").unlink()
    assert [m.code for m in changed_files(card, tmp_path)] == ["data/missing"]


MOVING = """
from tuner.data.formats import csv
EXTENSIONS = (".moving",)
def read(path, layout):
    table = csv.read(path, layout)
    path.write_bytes(path.read_bytes() + b"\\n")
    return table
"""


def test_a_file_must_not_change_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A format of one's own, which also shows that one may have one."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "moving.py").write_text(MOVING)
    monkeypatch.setattr(sys, "path", list(sys.path))
    registry.search_in(tmp_path)
    with pytest.raises(DataError) as refused:
        prepared(tmp_path, rows(), format="own.moving")
    assert [m.code for m in refused.value.mistakes] == ["data/moving"]
    assert not (tmp_path / "data").exists()


def test_the_spec_of_data() -> None:
    for wrong in (
        {"features": ["x", "x"]},
        {"validation": 0.6, "test": 0.5},
        {"validation": {"folds": 1}},
        {"truncate": "start"},
        {"validation": True},
    ):
        with pytest.raises(ValueError):
            DataConfig.model_validate({"train": "rows.csv", **wrong})
