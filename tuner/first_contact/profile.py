"""What each column of a table holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from tuner.data import columns
from tuner.data.table import RawTable

_DATE = re.compile(r"\s*\d{4}-\d\d")
_OTHER_DATE = re.compile(r"\s*\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b")
_MANY = 10_000
_MOST_CLASSES, _MOST_NUMBERS = 100, 20
"""Classes spelled as texts, and as whole numbers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """The facts of one column of the training file."""

    name: str
    kind: Literal["number", "text", "date", "empty"]
    code_N: np.ndarray
    """Equal values have equal numbers; -1 is missing."""
    num_distinct: int
    words: float
    """Mean words of a text; 0 of others."""
    whole: bool
    """Whether all numbers are whole."""
    index: bool
    """Whether each row holds one more than the row before."""
    strange_date: str | None
    """A value that looks like a date but is not written as ISO 8601."""

    @property
    def few(self) -> bool:
        """Whether values come again and again, as classes do."""
        present = int((self.code_N >= 0).sum())
        if self.kind not in ("text", "number") or not 2 <= self.num_distinct <= min(
            100, present / 2
        ):
            return False
        return self.kind == "text" or (self.whole and self.num_distinct <= 20)

    def constant_within(self, key_N: np.ndarray) -> bool:
        """Whether it has one value in each group of rows."""
        pairs = np.unique(np.stack([key_N, self.code_N]), axis=1)
        return bool(pairs.shape[1] == len(np.unique(key_N)))

    @property
    def longest_gap(self) -> int:
        """Most rows on end without a value."""
        edges = np.flatnonzero(np.diff(np.concatenate([[0], self.code_N < 0, [0]])))
        return int((edges[1::2] - edges[::2]).max(initial=0))


def profile(table: RawTable) -> dict[str, Column]:
    """The facts of every column."""
    return {name: _column(table, name) for name in table.columns.column_names}


def numbers(table: RawTable, name: str) -> np.ndarray:
    """A column as float64, NaN where it holds none."""
    column = table.columns.column(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        values_N: np.ndarray = column.cast(pa.float64()).fill_null(np.nan).to_numpy()
    except pa.ArrowInvalid:
        return columns.to_numbers(table, name, []).astype(np.float64)
    return values_N


def _column(table: RawTable, name: str) -> Column:
    absent = columns.absent_rows(table, name)
    encoded = columns.to_texts([table], name)
    code_N = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
    code_N[absent] = -1
    spelled = encoded.dictionary.slice(0, _MANY).cast(pa.string()).to_pylist()
    texts = [text for text in spelled if text is not None]
    column = table.columns.column(name)
    kind: Literal["number", "text", "date", "empty"] = "text"
    if len(absent) == len(code_N):
        kind = "empty"
    elif pa.types.is_temporal(column.type) or (
        texts and all(map(_DATE.match, texts)) and columns.to_times(table, name, []) is not None
    ):
        kind = "date"
    elif columns.is_numeric(table, name):
        kind = "number"
    whole = index = False
    if kind == "number":
        value_N = numbers(table, name)
        known_N = value_N[~np.isnan(value_N)]
        whole = bool((known_N == np.floor(known_N)).all())
        index = len(value_N) > 2 and bool((np.diff(value_N) == 1).all())
    strange = kind == "text" and bool(texts) and all(map(_OTHER_DATE.match, texts))
    return Column(
        name=name,
        kind=kind,
        code_N=code_N,
        num_distinct=len(np.unique(code_N[code_N >= 0])),
        words=float(np.mean([len(t.split()) for t in texts])) if kind == "text" else 0.0,
        whole=whole,
        index=index,
        strange_date=texts[0] if strange else None,
    )
