"""CoNLL-U, the ten columns of Universal Dependencies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuner.data.layout import Layout

if TYPE_CHECKING:
    from tuner.data.table import RawTable

EXTENSIONS: tuple[str, ...] = (".conllu",)
COLUMNS = {"id": "sentence", "text": "form", "label": "upos"}
"""What the columns mean by default; `data/target: xpos` reads the treebank's own tags."""

_NAMES = ("form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_SENT_ID = "# sent_id ="


def read(path: Path, layout: Layout) -> RawTable:
    """Reads the words of all sentences; ranges such as 1-2 and empty nodes such as 1.1 are none.

    A sentence's id is its `sent_id`, or the file's name and its number from 1. `_` is a missing
    value, but as a form and a lemma.

    Raises:
        DataError: not a readable text file in this encoding, no rows, or lines of other columns.
    """
    from tuner.data.files import read_text
    from tuner.data.formats._lines import Rows

    rows = Rows(path)
    name, count, inside = "", 0, False
    for number, line in enumerate(read_text(path, layout.encoding).decode().split("\n"), 1):
        if line.startswith("#"):
            if line.startswith(_SENT_ID):
                name = line.removeprefix(_SENT_ID).strip()
            continue
        if not line.strip():
            name, inside = "", False
            continue
        place, *cells = line.rstrip("\r").split("\t")
        if len(cells) != len(_NAMES):
            rule = f"every word must have {len(_NAMES) + 1} columns, apart by tabs"
            fix = "Mend the line, or set `format: conll`."
            rows.refuse(number, line, len(cells) + 1, rule=rule, fix=fix)
            continue
        count += not inside
        inside = True
        if place.isdigit():
            known = [None if c == "_" and i > 1 else c for i, c in enumerate(cells)]
            rows.add(number, [name or f"{path.stem} {count}", *known])
    return rows.table(["sentence", *_NAMES])
