"""What stands in for missing values, as `data/missing` says.

N rows   F features
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tuner.data.layout import Layout
from tuner.errors import Mistake

if TYPE_CHECKING:
    from tuner.data.sequences import Sequences


def filled(sequences: Sequences, layout: Layout, mistakes: list[Mistake]) -> Sequences:
    """Puts in what the policy asks for; what it leaves open stays NaN."""
    observed_NF = ~np.isnan(sequences.values_NF)
    if observed_NF.all():
        return sequences
    values_NF = sequences.values_NF
    if layout.missing == "drop":
        return _dropped(sequences, observed_NF.all(axis=1), mistakes)
    if layout.missing == "zero":
        values_NF = np.nan_to_num(values_NF, nan=0.0)
    elif layout.missing in ("forward", "interpolate"):
        first_N = np.repeat(sequences.offset_S, sequences.length_S)
        last_N = first_N + np.repeat(sequences.length_S, sequences.length_S) - 1
        values_NF = values_NF.copy()
        for f in range(values_NF.shape[1]):
            x_N, seen_N = values_NF[:, f], observed_NF[:, f]
            if layout.missing == "forward":
                values_NF[:, f] = _forward(x_N, seen_N, first_N)
            else:
                values_NF[:, f] = _interpolated(x_N, seen_N, first_N, last_N)
    return replace(sequences, values_NF=values_NF, observed_NF=observed_NF.astype(np.uint8))


def _before(seen_N: np.ndarray) -> np.ndarray:
    """The last place that was seen, each place's own included; -1 where there is none."""
    return np.maximum.accumulate(np.where(seen_N, np.arange(len(seen_N)), -1))


def _forward(x_N: np.ndarray, seen_N: np.ndarray, first_N: np.ndarray) -> np.ndarray:
    before_N = _before(seen_N)
    # Nothing is carried over from the sequence before.
    return np.where(before_N >= first_N, x_N[before_N], np.float32(np.nan))


def _interpolated(
    x_N: np.ndarray, seen_N: np.ndarray, first_N: np.ndarray, last_N: np.ndarray
) -> np.ndarray:
    """On the line between the neighbours in the sequence; the one neighbour's value at its ends."""
    before_N = _before(seen_N)
    after_N = len(seen_N) - 1 - _before(seen_N[::-1])[::-1]
    has_before_N, has_after_N = before_N >= first_N, after_N <= last_N
    before_N = np.where(has_before_N, before_N, np.minimum(after_N, last_N))
    after_N = np.where(has_after_N, after_N, before_N)
    place_N = np.arange(len(x_N))
    share_N = (place_N - before_N) / np.maximum(after_N - before_N, 1)
    line_N = x_N[before_N] + np.clip(share_N, 0, 1) * (x_N[after_N] - x_N[before_N])
    return np.where(has_before_N | has_after_N, line_N, np.nan).astype(np.float32)


def _dropped(sequences: Sequences, kept_N: np.ndarray, mistakes: list[Mistake]) -> Sequences:
    left_S = np.add.reduceat(kept_N, sequences.offset_S, dtype=np.int64)
    empty = np.flatnonzero(left_S == 0)
    if len(empty):
        mistakes.append(
            Mistake(
                code="data/empty-sequence",
                rule="a sequence must keep a row without a missing value under `missing: drop`",
                where=sequences.where(sequences.offset_S[empty]),
                got=f"{len(empty):,} sequences without one",
                fix="Remove them, or set `missing: forward`, `interpolate`, `mean` or `zero`.",
            )
        )
        return sequences
    return sequences.take(kept_N)
