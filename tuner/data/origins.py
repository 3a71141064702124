"""Rolling origins: successive validation spans, each forecast from what lies before it."""

from __future__ import annotations

import numpy as np


def spans(
    num_rows_S: np.ndarray, num_origins: int, fold: int, horizon: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where a fold's training ends in each series, and its validation span begins and ends.

    The first of `num_origins` + 1 equal parts only trains; the fold's number plus one names the
    part that validates. Between the last target learned and the first scored lies a horizon, so
    that no step is in both and the model could have been trained when the first forecast is due.

    Args:
        num_rows_S: rows of each series before its test rows.
    """
    size_S = num_rows_S // (num_origins + 1)
    start_S = num_rows_S - (num_origins - fold) * size_S
    return np.maximum(start_S - horizon, 0), start_S, start_S + size_S
