"""What was read: the tables of all files and the facts of their columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tuner import registry
from tuner.data.layout import Layout
from tuner.data.table import RawTable
from tuner.first_contact import profile
from tuner.first_contact.finding import Found
from tuner.first_contact.profile import Column


@dataclass(frozen=True, eq=False)
class Look:
    """All that inference knows."""

    found: Found
    tables: dict[str, RawTable]
    """Split → table."""

    @property
    def train(self) -> RawTable:
        """The rows to learn from."""
        return self.tables["train"]

    @cached_property
    def columns(self) -> dict[str, Column]:
        """The facts of the training file's columns."""
        return profile.profile(self.train)

    @property
    def num_rows(self) -> int:
        """Rows to learn from."""
        return len(self.train.columns)

    @property
    def fixed(self) -> dict[str, str]:
        """Columns that the format names by itself."""
        named: dict[str, str] = getattr(registry.get("formats", self.found.format), "COLUMNS", {})
        return named

    def keys(self, id: str | None) -> np.ndarray:
        """The group of each row to learn from."""
        return np.zeros(self.num_rows, dtype=np.int64) if id is None else self.columns[id].code_N


def read(found: Found) -> Look:
    """Reads all files.

    Raises:
        DataError: a file cannot be read.
    """
    own = found.format == "ts"
    layout = Layout(
        # The names that `.ts` files give their label; other formats read all columns anyway.
        label="label" if own else None,
        targets=("target",) if own else (),
        encoding=found.encoding,
        delimiter=found.delimiter,
    )
    reader = registry.get("formats", found.format)
    return Look(found, {split: reader.read(path, layout) for split, path in found.paths.items()})
