"""The season of a series, and how far its values lie from those of a season before.

N rows   F features
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tuner.data.card import Statistics

if TYPE_CHECKING:
    from tuner.data.sequences import Sequences

_SEASONS = {900.0: 96, 1800.0: 48, 3600.0: 24, 86400.0: 7}


def season(given: int | None, step_seconds: float | None) -> int | None:
    """Steps of a season: those given, a day of (quarter, half) hours, a week of days, or None."""
    return given or _SEASONS.get(step_seconds or 0.0)


def with_naive(
    fitted: Statistics, sequences: Sequences, train_N: np.ndarray, steps: int
) -> Statistics:
    """Adds the seasonal naive error of training rows, from pairs of observed values alone.

    Hyndman and Koehler, "Another look at measures of forecast accuracy" (2006).
    """
    values_NF = sequences.values_NF
    place_N = np.arange(len(values_NF)) - np.repeat(sequences.offset_S, sequences.length_S)
    later = np.flatnonzero(train_N & (place_N >= steps))
    naive = []
    for f in range(values_NF.shape[1]):
        error = np.abs(values_NF[later, f].astype(np.float64) - values_NF[later - steps, f])
        known = np.isfinite(error)
        if sequences.observed_NF is not None:
            seen_N = sequences.observed_NF[:, f].astype(bool)
            known &= seen_N[later] & seen_N[later - steps]
        naive.append(float(error[known].mean()) if known.any() else 0.0)
    return replace(fitted, naive=tuple(naive))
