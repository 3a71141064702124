"""Forecasts to be looked at: against the truth, and their error by step ahead.

B windows   H steps ahead   C targets   Q levels, 1 where there are no quantiles
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tuner.plots.exhibits import Exhibit, Line, Lines
from tuner.tasks import _exhibits
from tuner.tasks._base import Run
from tuner.tasks._windows import series_of

if TYPE_CHECKING:
    from tuner.data.store import Steps
    from tuner.tasks.forecasting import Forecasting

_PICTURES, _WINDOWS = 4, 512
"""Forecasts that are drawn, and windows over which errors are averaged by step."""
_PAST = 24
"""Steps of the past that are drawn at least."""


class ForecastExhibits:
    """What one final model forecasts."""

    def __init__(self, task: Forecasting, steps: Steps, run: Run) -> None:
        self._task, self._steps, self._run = task, steps, run
        self._horizon, self._targets = task.horizon, task.targets
        self._names = [task.facts.features[channel] for channel in task.targets]
        self._median = task.quantiles.index(0.5) if task.quantiles else 0
        self._ahead = tuple(float(step) for step in range(1, task.horizon + 1))

    def all(self, rows: np.ndarray) -> dict[str, Exhibit]:
        """The last window of each series and one in the middle, channel by channel; and errors."""
        series_R = series_of(self._steps, rows)
        lasts = [int(rows[series_R == s][-1]) for s in np.unique(series_R)[:_PICTURES]]
        first_R = rows[series_R == series_R[0]]
        chosen = list(dict.fromkeys([*lasts, int(first_R[len(first_R) // 2])]))
        forecasts = self._in_units(np.array(chosen, dtype=np.int64))
        pictures = [(w, c) for c in range(len(self._targets)) for w in range(len(chosen))]
        found: dict[str, Exhibit] = {
            f"forecast-{number}": self._picture(chosen[w], c, forecasts[w, :, c])
            for number, (w, c) in enumerate(pictures[:_PICTURES], 1)
        }
        return found | {"error-ahead": self._error_ahead(_exhibits.spread(rows, _WINDOWS))}

    def _in_units(self, rows: np.ndarray) -> np.ndarray:
        """Forecasts in the data's own units, BHCQ."""
        batch = self._task.batch(self._steps, rows)
        told = self._task.decode(self._steps, rows, self._run(batch, None)[0], batch)
        shape = len(rows), self._horizon
        levels = [f" {level:g}" if level != 0.5 else "" for level in self._task.quantiles] or [""]
        columns = [
            [np.reshape(told[name + level], shape) for level in levels] for name in self._names
        ]
        return np.array(columns, dtype=np.float64).transpose(2, 3, 0, 1)

    def _picture(self, row: int, c: int, forecast_HQ: np.ndarray) -> Lines:
        """One window of one channel: the past, the truth and the forecast."""
        steps, channel, name = self._steps, int(self._targets[c]), self._names[c]
        s = int(series_of(steps, np.array([row]))[0])
        back = min(max(2 * self._horizon, _PAST), row - int(steps.offset_S[s]))
        shown = slice(row - back, row + self._horizon)
        values_N = steps.values_NF[shown, channel]
        seen_N = np.isfinite(values_N)
        if steps.observed_NF is not None:
            seen_N &= steps.observed_NF[shown, channel].astype(bool)
        values_N = steps.values_NF[shown, channel]
        truth = tuple(
            float(v) if there else None for v, there in zip(values_N, seen_N, strict=True)
        )
        levels = self._task.quantiles
        line = Line(
            name="forecast",
            x=self._ahead,
            y=tuple(forecast_HQ[:, self._median].tolist()),
            low=tuple(forecast_HQ[:, 0].tolist()) if levels else (),
            high=tuple(forecast_HQ[:, -1].tolist()) if levels else (),
        )
        past = tuple(float(step) for step in range(1 - back, self._horizon + 1))
        band = f", with quantiles {levels[0]:g} to {levels[-1]:g}" if levels else ""
        return Lines(
            about=f"{name} of {steps.ids[s]}: forecast and truth{band}.",
            x_label="steps ahead",
            y_label=name,
            lines=(line, Line(name="truth", x=past, y=truth)),
        )

    def _error_ahead(self, rows: np.ndarray) -> Lines:
        """Mean absolute error of each step ahead, in deviations of the training rows."""
        statistics = self._task.facts.statistics
        mean_C, std_C = (np.asarray(a)[self._targets] for a in (statistics.mean, statistics.std))
        sums_HC, counts_HC = np.zeros((2, self._horizon, len(self._targets)))
        for chunk in _exhibits.chunks(rows):
            forecast_BHC = (self._in_units(chunk)[..., self._median] - mean_C) / std_C
            future_BHC, weights_BHC = self._task.future(self._steps, chunk)
            sums_HC += (np.abs(forecast_BHC - future_BHC) * weights_BHC).sum(axis=0)
            counts_HC += weights_BHC.sum(axis=0)
        error_HC = sums_HC / np.maximum(counts_HC, 1)
        return Lines(
            about="Mean absolute error by step ahead, in deviations of the training rows.",
            x_label="steps ahead",
            y_label="error",
            lines=tuple(
                Line(name=name, x=self._ahead, y=tuple(error_HC[:, c].tolist()))
                for c, name in enumerate(self._names[:_PICTURES])
            ),
        )
