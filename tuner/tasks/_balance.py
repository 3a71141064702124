"""What evens out classes in the rows of an epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Sampling = Literal["none", "over", "under", "synthetic"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Balance:
    """Rows of every class as often."""

    how: Sampling
    """Not `none`."""
    class_R: np.ndarray
    """Class of each training row."""
    neighbors: int
    """Of a row that a synthetic one may lie towards."""
