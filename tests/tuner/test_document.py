"""A spec's text: values as YAML 1.2 means them, each with its line, and nothing that harms."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tuner.document import MAX_BYTES, MAX_DEPTH, MAX_NODES, Document, Place, parse, read
from tuner.errors import Mistake, SpecError


def refused(text: str) -> list[Mistake]:
    with pytest.raises(SpecError) as error:
        parse(text, "s.yaml")
    return error.value.mistakes


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-1.5e+3", -1500.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("+7", 7),
        ("-0", 0),
        ("012", 12),
        ("1_000", 1000),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        # Text, whatever YAML 1.1 made of it.
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("nan", "nan"),
        ("1e", "1e"),
        ("e3", "e3"),
        ("-", [None]),
        ("'1'", "1"),
        ('"true"', "true"),
        ("'~'", "~"),
        ("!!str 1", "1"),
        ("<<", "<<"),
        ("größe", "größe"),
    ],
)
def test_scalars(text: str, value: Any) -> None:
    found = parse(f"a:\n  {text}\n", "s.yaml").data["a"]
    assert found == value and type(found) is type(value)


def test_nan_is_read() -> None:
    assert math.isnan(parse("a: .nan", "s.yaml").data["a"])


TREE = """\
# a comment
name: x

model:
  size: 8
  rates: [0.1,
    0.2]
list:
  - a: 1
    b: |
      text
      more
  -
    - deep
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ((), 2),
        (("name",), 2),
        (("model",), 4),
        (("model", "size"), 5),
        (("model", "rates"), 6),
        (("model", "rates", 0), 6),
        (("model", "rates", 1), 7),
        (("list", 0, "a"), 9),
        (("list", 0, "b"), 10),
        (("list", 1, 0), 14),
        # What is not there has the place of what is around it.
        (("model", "absent"), 4),
        (("model", "rates", 2), 6),
        (("model", "size", "deeper", 3), 5),
        (("absent", "deeper"), 2),
    ],
)
def test_lines(place: Place, line: int) -> None:
    assert parse(TREE, "s.yaml").where(place) == f"s.yaml line {line}"


def test_what_came_from_elsewhere_says_so() -> None:
    document = parse(TREE, "s.yaml")
    document.replaced[("model",)] = "--set model"
    assert document.where(("model",)) == document.where(("model", "absent")) == "--set model"
    assert document.where(("name",)) == "s.yaml line 2"
    assert Document("empty.yaml", {}).where(("a", 0)) == "empty.yaml"


def test_the_whole_is_plain_data() -> None:
    assert parse(TREE, "s.yaml").data == {
        "name": "x",
        "model": {"size": 8, "rates": [0.1, 0.2]},
        "list": [{"a": 1, "b": "text\nmore\n"}, ["deep"]],
    }


@pytest.mark.parametrize("text", ["a: b\rc: d", "a: b\r\nc: d\r\n", "\ufeffa: b\nc: d"])
def test_ends_of_lines_and_a_mark_at_the_start(text: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(text.encode())
    document = read(path)
    assert document.data == {"a": "b", "c": "d"}
    assert document.where(("c",)) == f"{path} line 2"


@pytest.mark.parametrize(
    ("text", "code", "where", "got"),
    [
        ("", "empty", "s.yaml", "nothing"),
        ("# only this\n", "empty", "s.yaml", "nothing"),
        ("a:\n\tb: 1", "tab", "s.yaml line 2", "a tab"),
        ("a:\n  b: 1\n \tc: 2", "tab", "s.yaml line 3", "a tab"),
        ("a: [1\nb: 2", "syntax", "s.yaml line 2", "expected ',' or ']'"),
        ("a: 'x", "syntax", "s.yaml line 1", "end of stream"),
        ("a: *x", "syntax", "s.yaml line 1 column 4", "undefined alias"),
        ("a: 1\n---\nb: 2", "syntax", "s.yaml line 2", "another document"),
        ("a: \x00", "syntax", "s.yaml", "control characters"),
        ("a: !!python/name:os.system x", "tag", "s.yaml line 1", "python/name:os.system"),
        ("a: 1\nb: !mine x", "tag", "s.yaml line 2", "!mine"),
        ("a: !!binary aGk=", "tag", "s.yaml line 1", "binary"),
        # Not a scalar, but a tag all the same.
        ("a: !!python/object/apply:os.system [echo]", "tag", "s.yaml line 1", "os.system"),
        ("a: 1\nb: !!python/object:os.x {c: 1}", "tag", "s.yaml line 2", "python/object"),
        ("a: !!set {b, c}", "tag", "s.yaml line 1", "set"),
        ("!!python/object/new:os.x\na: 1", "tag", "s.yaml line 1", "python/object"),
        # A tag that the text does not keep.
        ("a: !!int abc", "tag", "s.yaml line 1", "int"),
        ("a: !!float abc", "tag", "s.yaml line 1", "float"),
        ("a: !mine:int 12", "tag", "s.yaml line 1", "!mine:int"),
    ],
)
def test_mistakes_name_their_line(text: str, code: str, where: str, got: str) -> None:
    (mistake,) = refused(text)
    assert mistake.code == f"spec/{code}"
    assert mistake.where.startswith(where) and got in mistake.got


def test_numbers_of_any_length_are_no_traceback() -> None:
    (mistake,) = refused(f"a: 1\nb: {'9' * 5000}")
    assert "line 2" in mistake.where and len(str(mistake)) < 500


def test_all_duplicate_keys_are_told_at_once() -> None:
    mistakes = refused("a: 1\nb:\n  c: 1\n  c: 2\n'a': 3\nd: {e: 1, e: 2}")
    assert [m.code for m in mistakes] == ["spec/duplicate-key"] * 3
    assert [(m.where, m.rule, m.got) for m in mistakes] == [
        ("s.yaml line 4", "`c` must stand once", "it again (first on line 3)"),
        ("s.yaml line 5", "`a` must stand once", "it again (first on line 1)"),
        ("s.yaml line 6", "`e` must stand once", "it again (first on line 6)"),
    ]


def test_a_key_is_text() -> None:
    assert parse("1: a\nno: b\nnull: c", "s.yaml").data == {"1": "a", "no": "b", "null": "c"}


def test_aliases_repeat_a_value() -> None:
    document = parse("a: &x [1, 2]\nb: *x", "s.yaml")
    assert document.data == {"a": [1, 2], "b": [1, 2]}
    document.data["a"].append(3)
    assert document.data["b"] == [1, 2]
    assert document.where(("b",)) == "s.yaml line 2"


LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        "a: &a [*a]",
        "a: &a {b: *a}",
        "a: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "\n".join("  " * i + "a:" for i in range(MAX_DEPTH + 2)),
        "- x\n" * (MAX_NODES + 1),
    ],
    ids=["laughs", "itself", "mapping-of-itself", "deep", "deep-mappings", "many"],
)
def test_bombs_are_refused(text: str) -> None:
    (mistake,) = refused(text)
    assert mistake.code == "spec/too-large" and mistake.where.startswith("s.yaml line ")


@pytest.mark.parametrize("unit", ["[", "{a: ", "- ", "? "])
def test_no_depth_kills_the_process(unit: str, tmp_path: Path) -> None:
    """In a process of its own, as it is the C library's stack that would run over."""
    path = tmp_path / "s.yaml"
    path.write_text(unit * (MAX_BYTES // 4 // len(unit)))
    code = f"from pathlib import Path; from tuner.document import read; read(Path({str(path)!r}))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "SpecError" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("content", "code", "got"),
    [
        (None, "missing", "no such file"),
        (b"a: \xff", "not-utf8", "byte 0xff at offset 3"),
        ("a: é".encode("latin-1"), "not-utf8", "byte 0xe9 at offset 3"),
        (b"#" * (MAX_BYTES + 1), "too-large", f"{MAX_BYTES + 1:,} bytes"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: bytes | None, code: str, got: str) -> None:
    path = tmp_path / "s.yaml"
    (tmp_path / "near.yaml").touch()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SpecError) as error:
        read(path)
    (mistake,) = error.value.mistakes
    assert (mistake.code, mistake.got, mistake.where) == (f"spec/{code}", got, str(path))
    assert content is not None or "near.yaml" in mistake.fix
    with pytest.raises(SpecError, match="spec/folder"):
        read(tmp_path)
