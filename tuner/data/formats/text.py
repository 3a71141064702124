"""Plain text: each line is one text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuner.data.layout import Layout

if TYPE_CHECKING:
    from tuner.data.table import RawTable

EXTENSIONS: tuple[str, ...] = (".txt", ".text")
COLUMNS = {"text": "text"}
"""What the one column is called."""


def read(path: Path, layout: Layout) -> RawTable:
    """Reads all lines, blank ones too, since a stream is to hold every line break.

    Raises:
        DataError: not a readable text file in this encoding, or no text.
    """
    import pyarrow as pa

    from tuner.data.files import read_text, shown
    from tuner.data.table import RawTable, refuse_no_rows

    text = read_text(path, layout.encoding).decode().replace("\r\n", "\n")
    if not text.strip():
        raise refuse_no_rows(path)
    lines = text.removesuffix("\n").split("\n")
    table = pa.table({"text": pa.array(lines, pa.string())})
    return RawTable(shown(path), table, lambda row: f"line {row + 1}")
