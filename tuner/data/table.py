"""One raw file as a table, whose rows can be found again in the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from tuner.data.files import shown
from tuner.errors import DataError, Mistake


@dataclass(frozen=True)
class Beside:
    """A file that another one names, as it was read."""

    name: str
    """As it is spelled there, relative to the other's folder."""
    sha256: str
    num_bytes: int


@dataclass(frozen=True)
class RawTable:
    """Raw columns: texts, numbers, dates; nothing interpreted, nothing repaired."""

    name: str
    """The file, as messages show it."""
    columns: pa.Table
    """One column of each name."""
    place: Callable[[int], str]
    """Row of the table (from 0) to its place in the file, such as "line 7"."""
    beside: tuple[Beside, ...] = ()
    """Other files that its rows name, and that were read with it."""
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)
    """The pixels_hwC of each picture that its rows name, where pictures stand beside sequences."""

    def where(self, row: int) -> str:
        """The place of a row, with its file."""
        return f"{self.name} {self.place(row)}"


_LINE_END = re.compile(rb"\r\n|\n|\r")


class Lines:
    """Finds the line of the n-th row of a text file, blank lines not counted as rows."""

    def __init__(self, text: bytes, num_headers: int = 0) -> None:
        self._text, self._num_headers = text, num_headers

    @cached_property
    def _lines(self) -> np.ndarray:
        return np.flatnonzero([bool(line) for line in _LINE_END.split(self._text)]) + 1

    def __call__(self, row: int) -> str:
        return f"line {self._lines[row + self._num_headers]}"


def refuse_no_rows(path: Path) -> DataError:
    """A file that holds a header at most."""
    return DataError(
        Mistake(
            code="data/no-rows",
            rule="a data file must hold rows",
            where=shown(path),
            got="a header at most",
            fix="Write the data again, or leave the file out.",
        )
    )


def refuse_duplicate_names(path: Path, names: list[str]) -> None:
    """Raises `DataError` if two columns share a name."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            Mistake(
                code="data/duplicate-columns",
                rule="columns must have different names",
                where=shown(path),
                got=f"more than one {', '.join(map(repr, twice))}",
                fix="Rename or remove all but one.",
            )
        )
