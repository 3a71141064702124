"""One history a line: `user item item …`, the oldest item first, as many recommenders are given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuner.data.layout import Layout

if TYPE_CHECKING:
    from tuner.data.table import RawTable

EXTENSIONS: tuple[str, ...] = (".histories",)
COLUMNS = {"id": "user", "text": "item"}
"""What the columns are called."""


def read(path: Path, layout: Layout) -> RawTable:
    """Reads a row for each item; blank lines are none.

    Raises:
        DataError: not a readable text file in this encoding, no rows, or users without an item.
    """
    from tuner.data.files import read_text
    from tuner.data.formats._lines import Rows

    rows = Rows(path)
    for number, line in enumerate(read_text(path, layout.encoding).decode().split("\n"), 1):
        user, *items = line.split() or [""]
        if user and not items:
            rule = "every line must hold a user and an item or more"
            rows.refuse(number, line, 1, rule=rule, fix="Mend or remove the line.")
        for item in items:
            rows.add(number, (user, item))
    return rows.table(["user", "item"])
