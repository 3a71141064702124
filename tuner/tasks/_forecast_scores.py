"""Scores of forecasts, from sums that add up over batches and ranks.

Arrays are numpy's or torch's, float64, of one shape or shapes that broadcast: whatever an
operator or `sum` does to both. C channels   H steps ahead   Q quantiles
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tuner.data.card import Statistics

METRICS = {
    "mse": "minimize",
    "mae": "minimize",
    "rmse": "minimize",
    "rse": "minimize",
    "smape": "minimize",
    "mase": "minimize",
}
UNITS = {"rmse_units": "minimize", "mae_units": "minimize"}
"""Only where a single channel is forecast: units of several do not add up."""
_LEAST_VARIANCE = 1e-12


class Scores:
    """Scores of some channels.

    mse, mae, rmse: in units of each channel's deviation over the training rows.
    rse: root of the squared error relative to that of the targets' own mean (Lai et al., LSTNet,
        2018), in the same units; a constant counts as varying by a millionth of its deviation.
    smape: mean of 2 |y - f| / (|y| + |f|), 0 to 2, in the data's own units.
    mase: mean of |y - f| over the channel's seasonal naive error on the training rows (Hyndman and
        Koehler, 2006); over its deviation where that error is 0.
    pinball, coverage: of quantiles; the mean loss over all of them, and the share of targets from
        the lowest to the highest. All others are then the median's.
    """

    def __init__(
        self, statistics: Statistics, targets: np.ndarray, quantiles: Sequence[float]
    ) -> None:
        self._mean_C, self._std_C, naive_C = (
            np.asarray(facts, dtype=np.float64)[targets]
            for facts in (statistics.mean, statistics.std, statistics.naive)
        )
        self._naive_C = np.where(naive_C > 0, naive_C / self._std_C, 1.0)
        self._quantiles = quantiles
        self._single = len(targets) == 1
        self.names = list(METRICS)
        self.names += list(UNITS) if self._single else []
        self.names += ["pinball", "coverage"] if quantiles else []

    def units(self, rows: int | None) -> list[np.ndarray]:
        """Mean, deviation and naive error of each channel, for targets [B, H, C]; or, given a
        number of rows, for targets [rows, H, 1] of which each C belong to one window."""
        shape = (1, 1, len(self._mean_C)) if rows is None else (rows, 1, 1)
        return [np.resize(a, shape) for a in (self._mean_C, self._std_C, self._naive_C)]

    def sums(
        self, forecast: Any, targets: Any, weights: Any, units: Sequence[Any], quantiles: Any
    ) -> list[Any]:
        """What `metrics` needs. `quantiles` are forecasts [..., Q] in ascending order, or None."""
        mean, std, naive = units
        error = forecast - targets
        squares, absolutes = error * error * weights, abs(error) * weights
        target_units = targets * std + mean
        size = abs(forecast * std + mean) + abs(target_units)
        # Where both are zero the error is, too.
        symmetric = 2 * absolutes * std / (size + (size == 0))
        found = [
            squares.sum(),
            absolutes.sum(),
            weights.sum(),
            (targets * weights).sum(),
            (targets * targets * weights).sum(),
            symmetric.sum(),
            (absolutes / naive).sum(),
            (squares * std * std).sum(),
            (absolutes * std).sum(),
        ]
        if quantiles is not None:
            found += self._quantile_sums(quantiles, targets, weights)
        # Neither infinity nor NaN less itself is zero.
        return [*found, ((forecast - forecast) != 0).sum()]

    def _quantile_sums(self, quantiles: Any, targets: Any, weights: Any) -> list[Any]:
        pinball = 0.0
        for q, level in enumerate(self._quantiles):
            below = targets - quantiles[..., q]
            pinball = pinball + (level * below - below * (below < 0)) * weights
        low, high = quantiles[..., 0], quantiles[..., -1]
        inside = (low <= targets) & (targets <= high)
        return [pinball.sum() / len(self._quantiles), (inside * weights).sum()]  # type: ignore[attr-defined]

    def metrics(self, sums: Sequence[float]) -> dict[str, float]:
        """All scores; NaN if a forecast was not finite or nothing was scored."""
        squares, absolutes, count, total, total_squares, symmetric, scaled = sums[:7]
        if sums[-1] or not count:
            return dict.fromkeys(self.names, float("nan"))
        variance = total_squares / count - (total / count) ** 2
        found = [
            squares / count,
            absolutes / count,
            math.sqrt(squares / count),
            math.sqrt(squares / count / max(variance, _LEAST_VARIANCE)),
            symmetric / count,
            scaled / count,
        ]
        if self._single:
            found += [math.sqrt(sums[7] / count), sums[8] / count]
        if self._quantiles:
            found += [sums[9] / count, sums[10] / count]
        return dict(zip(self.names, found, strict=True))
