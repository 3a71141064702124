"""What tasks do to inputs beside scaling; targets never pass through here.

B rows   T steps   F features
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tuner.data.card import Statistics
from tuner.tasks._base import Facts

if TYPE_CHECKING:
    from tuner.data.store import Steps


def clipped(values: np.ndarray, statistics: Statistics) -> np.ndarray:
    """Values cut off where `data/clip` says; missing ones stay missing."""
    if not statistics.low:
        return values
    low, high = (np.asarray(a, dtype=np.float32) for a in (statistics.low, statistics.high))
    found: np.ndarray = np.clip(values, low, high)
    return found


def smoothed(values_BTF: np.ndarray, before: int, after: int, facts: Facts) -> np.ndarray:
    """Each step's mean with its neighbours, of what is not missing; a missing step is filled.

    Gives `before` + `after` steps fewer: those that lack neighbours. Plain channels stay.
    """
    window = before + after + 1
    seen_BTF = np.isfinite(values_BTF)
    sums = np.where(seen_BTF, values_BTF, 0).cumsum(axis=1, dtype=np.float64)
    counts = seen_BTF.cumsum(axis=1)
    for totals in (sums, counts):
        totals[:, window:] -= totals[:, :-window].copy()
    total_BTF, count_BTF = sums[:, window - 1 :], counts[:, window - 1 :]
    mean_BTF = np.where(count_BTF > 0, total_BTF / np.maximum(count_BTF, 1), np.nan)
    plain = list(facts.roles.plain)
    mean_BTF[:, :, plain] = values_BTF[:, before : before + mean_BTF.shape[1], plain]
    return mean_BTF.astype(np.float32)


def masked(facts: Facts) -> np.ndarray:
    """The features that `data/missing_mask` tells of: those with holes among the training rows."""
    return np.flatnonzero(facts.statistics.missing)


def observed(steps: Steps, index: np.ndarray, features: np.ndarray) -> np.ndarray:
    """1 where a value was in the file, else 0, of some features at some steps."""
    if steps.observed_NF is None:
        return np.ones((*index.shape, len(features)), dtype=np.float32)
    found: np.ndarray = steps.observed_NF[index][..., features].astype(np.float32)
    return found
