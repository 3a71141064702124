"""Facts that are fitted: on training rows only, by construction."""

from __future__ import annotations

import warnings

import numpy as np

from tuner.data.card import Statistics


def fit(values_NF: np.ndarray, label_S: np.ndarray, num_classes: int) -> Statistics:
    """Statistics of training rows.

    Args:
        values_NF: the training rows, NaN where missing.
        label_S: labels of the training sequences.
        num_classes: 0 for series.
    """
    with warnings.catch_warnings():
        # A feature that is missing in all training rows has no mean; it is refused before.
        warnings.simplefilter("ignore", RuntimeWarning)
        mean_F = np.asarray(np.nanmean(values_NF, axis=0, dtype=np.float64))
        std_F = np.asarray(np.nanstd(values_NF, axis=0, dtype=np.float64))
        low_F, high_F = np.nanmin(values_NF, axis=0), np.nanmax(values_NF, axis=0)
    # Rounding can leave a constant column a deviation of the last bit.
    std_F = np.where(high_F > low_F, std_F, 1.0)
    counts = np.bincount(label_S, minlength=num_classes) if num_classes else np.zeros(0, int)
    return Statistics(
        mean=tuple(np.nan_to_num(mean_F).tolist()),
        std=tuple(np.nan_to_num(std_F, nan=1.0).tolist()),
        minimum=tuple(np.nan_to_num(low_F).astype(float).tolist()),
        maximum=tuple(np.nan_to_num(high_F).astype(float).tolist()),
        class_counts=tuple(counts.tolist()),
    )
