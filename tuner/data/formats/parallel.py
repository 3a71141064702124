"""Parallel text: two files, line N of the one for line N of the other, such as train.de, train.en.

A spec names the first. The second has the same name, but for its extension, which is what the
target column is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuner.data.layout import Layout

if TYPE_CHECKING:
    import pyarrow as pa

    from tuner.data.table import RawTable

EXTENSIONS: tuple[str, ...] = (".src",)
COLUMNS = {"text": "src", "label": "tgt"}
"""The first file's column, and the second's, unless the spec gives others as `data/text` and
`data/target`."""


def read(path: Path, layout: Layout) -> RawTable:
    """Reads both files, blank lines too; the first alone where there is no second.

    Raises:
        DataError: not readable text files in this encoding, no text, or files of other lengths.
    """
    from tuner.data.files import read_text, sha256, shown
    from tuner.data.table import Beside, RawTable
    from tuner.errors import DataError, Mistake

    name = layout.text or COLUMNS["text"]
    target = layout.target_text or layout.label or COLUMNS["label"]
    other = path.with_suffix(f".{target}")
    columns = {name: _lines(path, read_text(path, layout.encoding))}
    if other == path or not other.is_file():
        shown_as = shown(path) if other == path else f"{shown(path)} without {other.name}"
        return RawTable(shown_as, _table(columns), _place)
    columns[target] = _lines(other, read_text(other, layout.encoding))
    counts = [len(lines) for lines in columns.values()]
    if counts[0] != counts[1]:
        raise DataError(
            Mistake(
                code="data/parallel-lines",
                rule="two files of parallel text must have as many lines",
                where=f"{shown(path)} and {other.name}",
                got=f"{counts[0]:,} and {counts[1]:,}",
                fix="Mend the shorter one: line N of the one must stand for line N of the other.",
            )
        )
    beside = Beside(name=other.name, sha256=sha256(other), num_bytes=other.stat().st_size)
    return RawTable(shown(path), _table(columns), _place, (beside,))


def _lines(path: Path, content: bytes) -> list[str]:
    from tuner.data.table import refuse_no_rows

    text = content.decode().replace("\r\n", "\n")
    if not text.strip():
        raise refuse_no_rows(path)
    return text.removesuffix("\n").split("\n")


def _table(columns: dict[str, list[str]]) -> pa.Table:
    import pyarrow as pa

    return pa.table({name: pa.array(lines, pa.string()) for name, lines in columns.items()})


def _place(row: int) -> str:
    return f"line {row + 1}"
