"""Where a moment stands in the day, the week, the year: as a point on a circle.

N rows   K fields
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def _since(unit: str, whole: str, count: float) -> Callable[[np.ndarray], np.ndarray]:
    """Whole units since the larger one began, over their number."""

    def share(times_N: np.ndarray) -> np.ndarray:
        since_N = times_N.astype(f"datetime64[{unit}]") - times_N.astype(f"datetime64[{whole}]")
        found: np.ndarray = since_N.astype(np.int64) / count
        return found

    return share


def _weekday(times_N: np.ndarray) -> np.ndarray:
    # 1970 began on a Thursday; Monday is 0.
    found: np.ndarray = (times_N.astype("datetime64[D]").astype(np.int64) + 3) % 7 / 7
    return found


FIELDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "minute": _since("m", "h", 60),
    "hour": _since("h", "D", 24),
    "weekday": _weekday,
    "monthday": _since("D", "M", 31),
    "yearday": _since("D", "Y", 366),
    "month": _since("M", "Y", 12),
}
"""Field → its place in [0, 1)."""


def waves(moments_N: np.ndarray, fields: Sequence[str]) -> np.ndarray:
    """Sine and cosine of each field, float32 [N, 2 K].

    Args:
        moments_N: microseconds since 1970.
        fields: names in `FIELDS`.
    """
    times_N = moments_N.astype("datetime64[us]")
    columns = []
    for name in fields:
        angle_N = 2 * np.pi * FIELDS[name](times_N)
        columns += [np.sin(angle_N), np.cos(angle_N)]
    return np.stack(columns, axis=1).astype(np.float32)


def later(moments_N: np.ndarray, step: tuple[str, int], count: int) -> np.ndarray:
    """Moments that lie so many steps later."""
    unit, size = step
    if unit == "microseconds":
        return moments_N + size * count
    times_N = moments_N.astype("datetime64[us]")
    months_N = times_N.astype("datetime64[M]")
    found: np.ndarray = (months_N + size * count).astype("datetime64[us]") + (times_N - months_N)
    return found.astype(np.int64)
