"""How far a text is from another: substitutions, deletions and insertions (Levenshtein, 1966).

N items of the reference   M items said
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Edits(NamedTuple):
    """The fewest that make the reference into what was said."""

    substitutions: int
    deletions: int
    insertions: int

    @property
    def distance(self) -> int:
        """All of them."""
        return sum(self)


def edits(reference: Sequence[object], said: Sequence[object]) -> Edits:
    """Of the shortest ways one, which substitutes where it may."""
    codes: dict[object, int] = {}
    reference_N, said_M = (
        np.array([codes.setdefault(item, len(codes)) for item in items], dtype=np.int64)
        for items in (reference, said)
    )
    away_NM = _table(reference_N, said_M)
    n, m = len(reference_N), len(said_M)
    substitutions = deletions = insertions = 0
    while n or m:
        here = away_NM[n, m]
        if n and m and here == away_NM[n - 1, m - 1] + (reference_N[n - 1] != said_M[m - 1]):
            substitutions += int(reference_N[n - 1] != said_M[m - 1])
            n, m = n - 1, m - 1
        elif n and here == away_NM[n - 1, m] + 1:
            deletions, n = deletions + 1, n - 1
        else:
            insertions, m = insertions + 1, m - 1
    return Edits(substitutions, deletions, insertions)


def _table(reference_N: np.ndarray, said_M: np.ndarray) -> np.ndarray:
    """The distance of each beginning of the one to each of the other, (N + 1, M + 1)."""
    place_M = np.arange(len(said_M) + 1)
    rows = [place_M]
    for n, item in enumerate(reference_N, 1):
        above_M = rows[-1]
        row_M = np.empty_like(above_M)
        row_M[0] = n
        row_M[1:] = np.minimum(above_M[1:] + 1, above_M[:-1] + (said_M != item))
        # What is inserted goes on from the least before it.
        rows.append(np.minimum.accumulate(row_M - place_M) + place_M)
    return np.stack(rows)
