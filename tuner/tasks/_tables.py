"""What is kept of a final model's scores beside its metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tuner import markdown

_MOST_COLUMNS = 50
"""Of a table to be read; JSON has them all."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Counts under names."""

    about: str
    """What its rows and columns are, in a sentence."""
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[int, ...]]

    def to_markdown(self) -> str:
        """The table under its sentence."""
        head = ["", *map(markdown.plain, self.columns)]
        body = ([name, *map(str, counts)] for name, counts in self.rows.items())
        return f"{self.about}\n\n{markdown.table(head, body)}\n"


def write(tables: Mapping[str, Table], folder: Path, split: str) -> None:
    """Files for people and for programs: `test-confusion.md` and `test-confusion.json`.

    They do not wait for the disk, as what a trial goes on from does: it would cost a short trial
    more than its training.
    """
    for name, table in tables.items():
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{split}-{name}"
        text = json.dumps(asdict(table), indent=1)
        path.with_suffix(".json").write_text(text, encoding="utf-8")
        if len(table.columns) <= _MOST_COLUMNS:
            path.with_suffix(".md").write_text(table.to_markdown(), encoding="utf-8")


def written(folder: Path) -> list[Path]:
    """The files of all tables."""
    splits = ("validation", "test")
    return [path for split in splits for path in sorted(folder.glob(f"{split}-*"))]
