"""What the exhibits of several tasks share: which rows are looked at, and how they are told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

LISTED = 20
"""Rows of a list of errors."""

_LOOKED_AT, _CHUNK = 2048, 256
_LETTERS = 160


def spread(rows: np.ndarray, num: int) -> np.ndarray:
    """At most so many rows, evenly over all."""
    if len(rows) <= num:
        return rows
    chosen: np.ndarray = rows[np.linspace(0, len(rows) - 1, num).astype(np.int64)]
    return chosen


def chunks(rows: np.ndarray) -> Iterator[np.ndarray]:
    """Rows that are looked at, a batch at a time."""
    rows = spread(rows, _LOOKED_AT)
    for begin in range(0, len(rows), _CHUNK):
        yield rows[begin : begin + _CHUNK]


def shortened(words: Sequence[str]) -> str:
    """A text in one line that does not fill a page."""
    text = " ".join(words)
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"
