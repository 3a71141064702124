"""Rows that are read line by line, and lines that are none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuner.data.table import RawTable
    from tuner.errors import Mistake

_MAX_LISTED = 5


class Rows:
    """What a file held, row by row, each with the line that it stood on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cells: list[Sequence[str | None]] = []
        self._numbers: list[int] = []
        self._mistakes: list[Mistake] = []

    def add(self, number: int, cells: Sequence[str | None]) -> None:
        """Keeps a row."""
        self._cells.append(cells)
        self._numbers.append(number)

    def refuse(self, number: int, line: str, width: int, *, rule: str, fix: str) -> None:
        """Notes a line of another number of columns; after the first few it is only left out."""
        from tuner.data.files import shown
        from tuner.errors import Mistake

        if len(self._mistakes) < _MAX_LISTED:
            self._mistakes.append(
                Mistake(
                    code="data/ragged-row",
                    rule=rule,
                    where=f"{shown(self._path)} line {number}",
                    got=f"{width}: {line.strip()[:60]!r}",
                    fix=fix,
                )
            )

    def table(self, names: Sequence[str]) -> RawTable:
        """All rows, as columns of texts.

        Raises:
            DataError: some lines were refused, or there are no rows.
        """
        import pyarrow as pa

        from tuner.data.files import shown
        from tuner.data.table import RawTable, refuse_no_rows
        from tuner.errors import DataError

        if self._mistakes:
            raise DataError(self._mistakes)
        if not self._cells:
            raise refuse_no_rows(self._path)
        columns = zip(names, zip(*self._cells, strict=True), strict=True)
        table = pa.table({name: pa.array(cells, pa.string()) for name, cells in columns})
        numbers = self._numbers
        return RawTable(shown(self._path), table, lambda row: f"line {numbers[row]}")
