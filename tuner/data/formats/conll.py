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


def read(path: Path, layout: Layout) -> RawTable:
    """Reads all sentences, which are numbered from 1; columns stand apart by tabs if there are any.

    A line of nothing but white space ends a sentence, too.

    Raises:
        DataError: not a readable text file in this encoding, no rows, or lines of other columns.
    """
    from tuner.data.files import read_text
    from tuner.data.formats._lines import Rows

    text = read_text(path, layout.encoding).decode()
    lines = text.split("\n")
    tabbed = any("\t" in line.strip() for line in lines)
    rows = Rows(path)
    width, sentence, inside = 0, 0, False
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(_DOCUMENT):
            inside = False
            continue
        cells = line.rstrip("\r\n").split("\t") if tabbed else line.split()
        width = width or len(cells)
        if len(cells) != width:
            rule = f"every token must have {width} columns, like the first"
            rows.refuse(number, line, len(cells), rule=rule, fix="Mend the line.")
            continue
        sentence += not inside
        inside = True
        # Sentences of two files are two, though both are numbered from 1.
        rows.add(number, [f"{path.stem} {sentence}", *cells])
    return rows.table(["sentence", *["token", *map(str, range(2, width)), "tag"][:width]])
