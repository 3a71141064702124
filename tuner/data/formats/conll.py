"""One token a line with its columns, sentences apart by blank lines (CoNLL-2003 and its kin)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuner.data.layout import Layout

if TYPE_CHECKING:
    from tuner.data.table import RawTable

EXTENSIONS: tuple[str, ...] = (".conll", ".bio", ".iob", ".iob2")
COLUMNS = {"id": "sentence", "text": "token", "label": "tag"}
"""The first column is the token, the last its tag; those between are called 2, 3, …"""

_DOCUMENT = "-DOCSTART-"
_MAX_LISTED = 5


def read(path: Path, layout: Layout) -> RawTable:
    """Reads all sentences, which are numbered from 1; columns stand apart by tabs if there are any.

    A line of nothing but white space ends a sentence, too.

    Raises:
        DataError: not a readable text file in this encoding, no rows, or lines of other columns.
    """
    import pyarrow as pa

    from tuner.data.files import read_text, shown
    from tuner.data.table import RawTable, refuse_no_rows
    from tuner.errors import DataError, Mistake

    text = read_text(path, layout.encoding).decode()
    lines = text.split("\n")
    tabbed = any("\t" in line.strip() for line in lines)
    rows: list[list[str]] = []
    sentences: list[int] = []
    numbers: list[int] = []
    mistakes: list[Mistake] = []
    sentence, inside = 0, False
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(_DOCUMENT):
            inside = False
            continue
        cells = line.rstrip("\r\n").split("\t") if tabbed else line.split()
        if rows and len(cells) != len(rows[0]):
            if len(mistakes) < _MAX_LISTED:
                mistakes.append(
                    Mistake(
                        code="data/ragged-row",
                        rule=f"every token must have {len(rows[0])} columns, like the first",
                        where=f"{shown(path)} line {number}",
                        got=f"{len(cells)}: {line.strip()[:60]!r}",
                        fix="Mend the line.",
                    )
                )
            continue
        sentence += not inside
        inside = True
        rows.append(cells)
        sentences.append(sentence)
        numbers.append(number)
    if mistakes:
        raise DataError(mistakes)
    if not rows:
        raise refuse_no_rows(path)
    width = len(rows[0])
    names = ["token", *map(str, range(2, width)), "tag"][:width]
    columns = dict(zip(names, zip(*rows, strict=True), strict=False))
    table = pa.table(
        {
            # Sentences of two files are two, though both are numbered from 1.
            "sentence": pa.array([f"{path.stem} {s}" for s in sentences], pa.string()),
            **{name: pa.array(cells, pa.string()) for name, cells in columns.items()},
        }
    )
    return RawTable(shown(path), table, lambda row: f"line {numbers[row]}")
