"""Hostile and mutated files: nothing runs, nothing fills the memory, nothing but mistakes."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tuner.data.card import TaskData
from tuner.data.config import DataConfig
from tuner.data.formats import parquet
from tuner.data.layout import Layout
from tuner.data.prepare import prepare
from tuner.errors import DataError

LAYOUT = Layout(id="id", label="label")


def test_extension_types_are_refused_and_run_nothing(tmp_path: Path) -> None:
    """The payload is what older Arrow versions unpickled when they read a schema."""
    marker = tmp_path / "marker"
    metadata = {
        "ARROW:extension:name": "arrow.py_extension_type",
        "ARROW:extension:metadata": f"cos\nmkdir\n(S'{marker}'\ntR.",
    }
    schema = pa.schema([("id", pa.string()), pa.field("x", pa.binary(), metadata=metadata)])
    rows = [{"id": "a", "x": b"1"}, {"id": "b", "x": b"2"}]
    pq.write_table(pa.Table.from_pylist(rows, schema), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="'x' gave an extension type") as refused:
        parquet.read(tmp_path / "rows.parquet", LAYOUT)
    assert refused.value.mistakes[0].code == "data/column-type"
    assert not marker.exists()


def test_many_rows_of_nothing_are_a_bomb(tmp_path: Path) -> None:
    table = pa.table({"x": pa.array(np.zeros(1_000_000))})
    path = tmp_path / "rows.parquet"
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for _ in range(12):
            writer.write_table(table)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="data/bomb"):
        parquet.read(path, LAYOUT)


def test_one_long_text_in_many_rows_is_a_bomb(tmp_path: Path) -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1000, np.int32)), ["a" * 200_000])
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"id": texts}), path, compression="zstd", store_schema=False)
    with pytest.raises(DataError, match="data/bomb"):
        parquet.read(path, LAYOUT)


def test_texts_that_are_no_utf8(tmp_path: Path) -> None:
    raw = pa.array([b"a\xff", b"b"]).cast(pa.string(), safe=False)
    pq.write_table(pa.table({"id": raw}), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match="data/content"):
        parquet.read(tmp_path / "rows.parquet", LAYOUT)


ROWS = ["id,x,label", *(f"s{i},{i}.5,{'ab'[i % 2]}" for i in range(20))]
CONTENTS = {
    "rows.csv": "\n".join(ROWS),
    "rows.jsonl": "\n".join(f'{{"id": {i}, "x": {i}.5, "label": {i % 2}}}' for i in range(20)),
    "rows.ts": "@classLabel true a b\n@data\n"
    + "\n".join(f"{i},2,3:4,?,{i}:{'ab'[i % 2]}" for i in range(20)),
}
TOKENS = [b",", b'"', b"\n", b"\r", b"\0", b"nan", b"inf", b"1e400", b"\xff", b"\xef\xbb\xbf"]
TOKENS += [b":", b"?", b"{", b"}", b"[", b"null", b" ", b"9" * 30, b"@data", b"true", b""]


def mutated(content: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.choice([1, 1, 2, 5])):
        place, length = chance.randrange(len(content) + 1), chance.randrange(12)
        new = chance.choice([*TOKENS, bytes([chance.randrange(256)]), content[:place]])
        content = content[:place] + new + content[place + length :]
    return content


@pytest.mark.parametrize("name", [*CONTENTS, "rows.parquet"])
def test_mutated_files_give_mistakes_or_data(name: str, tmp_path: Path) -> None:
    if name in CONTENTS:
        content = CONTENTS[name].encode()
    else:
        columns = {"id": list("abcdefgh"), "x": np.arange(8.0), "label": list("uvuvuvuv")}
        pq.write_table(pa.table(columns), tmp_path / name)
        content = (tmp_path / name).read_bytes()
    chance = random.Random(0)
    config = DataConfig(train=name, id="id", target="label", missing="mean")
    refused = set()
    for number in range(250):
        folder = tmp_path / f"{number}"
        (tmp_path / name).write_bytes(mutated(content, chance) if number else content)
        try:
            prepare(config, TaskData(kind="sequence"), tmp_path, folder, 0)
        except DataError:
            refused.add(number)
            assert not folder.exists()
    assert len(refused) > 50 and 0 not in refused, "the file as it was is accepted"
