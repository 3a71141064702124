"""Files that rows name, or hold as `data:` URIs."""

from __future__ import annotations

from pathlib import Path

import made
import numpy as np
import pytest

from tuner.data.formats.csv import read
from tuner.data.named_file import NamedFile
from tuner.data.reading import with_enclosed_files
from tuner.data.store import Store
from tuner.errors import Mistake

CAPTIONING = {"name": "captioning"}
MOST = 1000


@pytest.mark.parametrize(
    "name",
    [
        "data:;base64,aGVsbG8=",
        "data:text/plain;charset=utf-8;base64,aGVsbG8=",
        "DATA:,hel%6Co",
        "data:text/plain,hello",
    ],
)
def test_reads_what_a_uri_holds(name: str) -> None:
    file = NamedFile(name, None)
    assert file.is_enclosed and not file.has_place
    content = file.read(MOST)
    assert content == b"hello" and file.beside(content) == ()


def test_a_file_and_its_uri_hold_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(bytes(range(256)))
    file = NamedFile("a.png", tmp_path)
    content = file.read(MOST)
    assert isinstance(content, bytes) and file.beside(content)[0].num_bytes == 256
    uri = file.enclosed(MOST)
    assert isinstance(uri, str) and uri.startswith("data:image/png;base64,")
    assert NamedFile(uri, None).read(MOST) == content
    assert NamedFile(uri, None).enclosed(MOST) == uri
    absent = NamedFile("b.png", tmp_path).enclosed(MOST)
    assert isinstance(absent, Mistake) and absent.got == "no such file"


@pytest.mark.parametrize(
    ("name", "code", "got"),
    [
        ("data:", "enclosed-file", "no comma"),
        ("data:image/png;base64", "enclosed-file", "no comma"),
        ("data:;base64,", "enclosed-file", "zero bytes"),
        ("data:;base64,a", "enclosed-file", "base64"),
        ("data:;base64,aGVs bG8=", "enclosed-file", "base64"),
        ("data:," + "a" * MOST, "large-file", f"{MOST + 6:,} bytes"),
        ("/etc/passwd", "named-file", "a name"),
        ("../secret.png", "named-file", "a name"),
    ],
)
def test_a_request_is_refused(name: str, code: str, got: str) -> None:
    refused = NamedFile(name, None).read(MOST)
    assert isinstance(refused, Mistake)
    assert refused.code == f"data/{code}" and got in refused.got.lower()
    assert len(refused.where) <= 41 and refused.fix.endswith(".")


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"a" * (MOST + 1))
    refused = NamedFile("a.wav", tmp_path).read(MOST)
    assert isinstance(refused, Mistake) and refused.got == "1,001 bytes"


def test_a_manifest_that_holds_its_pictures_is_read_like_one_that_names_them(
    tmp_path: Path,
) -> None:
    made.pictures_csv(tmp_path / "rows.csv", num=12)
    data = {"train": "rows.csv", "picture": {"height": 8, "width": 12}, "target": "caption"}
    named = Store.open(made.prepared(tmp_path, CAPTIONING, data))
    layout = named.card.layout
    table = with_enclosed_files(read(tmp_path / "rows.csv", layout), tmp_path / "rows.csv", layout)
    (tmp_path / "alone").mkdir()
    made.write_rows(tmp_path / "alone" / "rows.csv", table.columns.to_pylist())
    held = Store.open(made.prepared(tmp_path / "alone", CAPTIONING, data))
    np.testing.assert_array_equal(held.values_NF, named.values_NF)
    assert held.ids[2] == "picture 3" and named.ids[2].endswith("002.png")
    assert len(held.card.files) == 1 and len(named.card.files) == 13
