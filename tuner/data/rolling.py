"""Statistics of the last steps of a series: a row's own and those before it, never a later one.

N rows   M features   W steps of a window
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def _mean(window_NW: np.ndarray) -> np.ndarray:
    seen_NW = np.isfinite(window_NW)
    sum_N = np.where(seen_NW, window_NW, 0).sum(axis=1, dtype=np.float64)
    count_N = seen_NW.sum(axis=1)
    return np.where(count_N > 0, sum_N / np.maximum(count_N, 1), np.nan)


def _std(window_NW: np.ndarray) -> np.ndarray:
    found_N: np.ndarray = np.sqrt(_mean(np.square(window_NW - _mean(window_NW)[:, None])))
    return found_N


STATISTICS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": _mean,
    "std": _std,
    "min": lambda window_NW: np.fmin.reduce(window_NW, axis=1),
    "max": lambda window_NW: np.fmax.reduce(window_NW, axis=1),
}
"""Of what is observed in each window; NaN where nothing is."""

_CHUNK = 8192
"""Rows whose windows are laid out at once."""


def rolled(
    values_NM: np.ndarray, offset_S: np.ndarray, length_S: np.ndarray, statistic: str, window: int
) -> np.ndarray:
    """One statistic of each row's window, float32; a series' first windows are shorter."""
    found_NM = np.empty_like(values_NM)
    for offset, length in zip(offset_S, length_S, strict=True):
        before = np.full(window - 1, np.nan, dtype=np.float32)
        for m in range(values_NM.shape[1]):
            x_N = np.concatenate([before, values_NM[offset : offset + length, m]])
            window_NW = sliding_window_view(x_N, window)
            for start in range(0, length, _CHUNK):
                part = STATISTICS[statistic](window_NW[start : start + _CHUNK])
                found_NM[offset + start : offset + start + len(part), m] = part
    return found_NM
