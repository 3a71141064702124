"""Lines that begin with a label: `__label__spam text` as in fastText, or `COARSE:fine text`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuner.data.layout import Layout

if TYPE_CHECKING:
    from tuner.data.table import RawTable

EXTENSIONS: tuple[str, ...] = (".labelled", ".ft")
COLUMNS = {"label": "label", "text": "text"}
"""What the columns are called. A third, `fine_label`, holds what follows a colon in the label."""

_MARK = "__label__"


def read(path: Path, layout: Layout) -> RawTable:
    """Reads the label up to the first white space, and the text behind it; blank lines are none.

    Raises:
        DataError: not a readable text file in this encoding, no rows, or lines without a text.
    """
    import pyarrow as pa

    from tuner.data.files import join_some, read_text, shown
    from tuner.data.table import RawTable, refuse_no_rows
    from tuner.errors import DataError, Mistake

    rows: list[tuple[str, str | None, str]] = []
    numbers: list[int] = []
    bad: list[int] = []
    for number, line in enumerate(read_text(path, layout.encoding).decode().split("\n"), 1):
        label, *text = line.split(maxsplit=1)[:2] or [""]
        if not label:
            continue
        if not text:
            bad.append(number)
            continue
        coarse, _, fine = label.removeprefix(_MARK).partition(":")
        rows.append((coarse, fine or None, text[0].strip()))
        numbers.append(number)
    if bad:
        raise DataError(
            Mistake(
                code="data/empty-text",
                rule="every line must hold a label and a text",
                where=f"{shown(path)} line {join_some(bad)}",
                got=f"{len(bad):,} without a text",
                fix="Mend or remove the lines.",
            )
        )
    if not rows:
        raise refuse_no_rows(path)
    labels, fines, texts = zip(*rows, strict=True)
    table = pa.table(
        {
            "label": pa.array(labels, pa.string()),
            "fine_label": pa.array(fines, pa.string()),
            "text": pa.array(texts, pa.string()),
        }
    )
    return RawTable(shown(path), table, lambda row: f"line {numbers[row]}")
