"""Several steps ahead, for one or many series, with missing values.

Scores are in units of each channel's deviation over the training rows, the same for every trial,
whatever its inputs look like. A longer look-back never removes a target: where a series does not
reach back far enough, its first value stands in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from tuner.data.card import TaskData
from tuner.part import Config as PartConfig
from tuner.tasks._base import Batch, Facts, Outputs, Split, Task, scaled

if TYPE_CHECKING:
    from torch import Tensor

    from tuner.data.store import Steps, Store

METRICS = {"mse": "minimize", "mae": "minimize", "rmse": "minimize"}
"""Metric → direction; the first is the default objective."""

_SEASONS = {900.0: 96, 1800.0: 48, 3600.0: 24, 86400.0: 7}
_BASELINE_CHUNK = 4096


class Config(PartConfig):
    """Options of the task."""

    name: Literal["forecasting"] = "forecasting"
    horizon: int = Field(ge=1)
    """Steps to forecast."""
    season: int | None = Field(default=None, ge=1)
    """Steps of the seasonal baseline; by default a day of (quarter, half) hours, a week of days."""


class InputConfig(PartConfig):
    """How a window becomes an input."""

    look_back: int = Field(default=96, ge=1)
    """Steps of the past that a forecast may see."""
    normalization: Literal["none", "last", "mean", "mean_std"] = "none"
    """What each window is freed from, per channel, and given back on output: nothing, its last
    value, its mean, or its mean and deviation."""
    channels: Literal["mixed", "shared"] = "mixed"
    """One model for all channels at once, or one for each channel by itself with shared weights
    (features that are not targets are then left out)."""
    patch: int = Field(default=1, ge=1)
    """Steps of the past that make one input step; the look-back is cut to a multiple of it."""


def data(options: Config) -> TaskData:
    """Series cut by time."""
    return TaskData(kind="series", horizon=options.horizon)


def create(options: Config, inputs: InputConfig, facts: Facts) -> Task:
    """Makes the task for one data set.

    Raises:
        ValueError: the patch is longer than the look-back.
    """
    if inputs.patch > inputs.look_back:
        raise ValueError(
            "`data/patch` must be at most `data/look_back`; "
            f"got {inputs.patch} > {inputs.look_back}"
        )
    return Forecasting(options, inputs, facts)


class Forecasting(Task):
    """Squared error over windows, steps and channels. A row is the place of its first target."""

    def __init__(self, options: Config, inputs: InputConfig, facts: Facts) -> None:
        self.inputs, self.facts = inputs, facts
        self.horizon = options.horizon
        self.season = options.season or _SEASONS.get(facts.step_seconds or 0.0)
        self.look_back = inputs.look_back - inputs.look_back % inputs.patch
        self.targets = np.asarray(facts.target_channels, dtype=np.int64)
        self.shared = inputs.channels == "shared"
        channels = 1 if self.shared else len(facts.features)
        self.num_inputs = inputs.patch * channels
        self.num_outputs = self.horizon * (1 if self.shared else len(self.targets))

    def rows(self, store: Store, split: Split, fold: int | None) -> np.ndarray:
        starts: list[np.ndarray] = []
        for series, offset in enumerate(store.offset_S):
            if split == "train":
                end = int(store.bounds["train_end"][series])
                # Windows that would mostly repeat the first value teach little.
                begin = max(1, min(self.look_back, (end - self.horizon) // 2))
            else:
                begin = int(store.bounds[f"{split}_start"][series])
                end = int(store.bounds[f"{split}_end"][series])
            starts.append(offset + np.arange(max(begin, 1), end - self.horizon + 1))
        rows = np.concatenate(starts) if starts else np.zeros(0)
        return rows.astype(np.int64)

    def batch(self, steps: Steps, rows: np.ndarray) -> Batch:
        past_BLF = self._past(steps, rows)
        future_BHC, weights_BHC = self._future(steps, rows)
        shift_B1F, scale_B1F = self._frame(past_BLF)
        past_BLF = np.nan_to_num((past_BLF - shift_B1F) / scale_B1F)
        frame = [np.take(a, self.targets, axis=2) for a in (shift_B1F, scale_B1F)]
        if self.shared:
            past_BLF = self._per_channel(past_BLF[:, :, self.targets])
            future_BHC, weights_BHC = self._per_channel(future_BHC), self._per_channel(weights_BHC)
            frame = [self._per_channel(a) for a in frame]
        rows_B, length = past_BLF.shape[0], self.look_back // self.inputs.patch
        return Batch(
            inputs=np.ascontiguousarray(past_BLF.reshape(rows_B, length, self.num_inputs)),
            lengths=np.full(rows_B, length, dtype=np.int64),
            targets=np.ascontiguousarray(future_BHC, dtype=np.float32),
            weights=np.ascontiguousarray(weights_BHC, dtype=np.float32),
            shift=np.ascontiguousarray(frame[0], dtype=np.float32),
            scale=np.ascontiguousarray(frame[1], dtype=np.float32),
        )

    def count(self, steps: Steps, rows: np.ndarray) -> int:
        if steps.observed_NF is None:
            return len(rows) * self.horizon * len(self.targets)
        return int(self._future(steps, rows)[1].sum())

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        error_BHC = self._forecast(outputs, batch) - batch.targets
        total: Tensor = (error_BHC.square() * batch.weights).sum()
        return total

    def statistics(self, outputs: Outputs, batch: Batch) -> Tensor:
        import torch

        forecast_BHC = self._forecast(outputs, batch)
        error_BHC = (forecast_BHC - batch.targets).double()
        weights_BHC = batch.weights.double()
        return torch.stack(
            [
                (error_BHC.square() * weights_BHC).sum(),
                (error_BHC.abs() * weights_BHC).sum(),
                weights_BHC.sum(),
                (~torch.isfinite(forecast_BHC)).sum().double(),
            ]
        )

    def metrics(self, statistics: Sequence[float]) -> dict[str, float]:
        squares, absolutes, count, broken = statistics
        if broken or not count:
            return dict.fromkeys(METRICS, float("nan"))
        mse = squares / count
        return {"mse": mse, "mae": absolutes / count, "rmse": math.sqrt(mse)}

    def baselines(
        self, store: Store, split: Split, fold: int | None
    ) -> dict[str, dict[str, float]]:
        """The last value repeated, and the last season repeated, on the same targets."""
        rows = self.rows(store, split, fold)
        found = {"repeat last": self._naive(store, rows, 1)}
        if self.season and self.season > 1:
            found[f"repeat last {self.season} steps"] = self._naive(store, rows, self.season)
        return found

    def prediction_rows(self, steps: Steps) -> np.ndarray:
        """One forecast per series, of the steps after its last."""
        rows: np.ndarray = steps.offset_S.astype(np.int64) + steps.length_S
        return rows

    def decode(
        self, steps: Steps, rows: np.ndarray, outputs: Outputs, batch: Batch
    ) -> dict[str, list[Any]]:
        """One line per step ahead, channels beside each other, in the data's own units."""
        num_rows, num_channels = len(rows), len(self.targets)
        forecast = outputs.reshape(batch.targets.shape) * batch.scale + batch.shift
        if self.shared:
            forecast = forecast.reshape(num_rows, num_channels, self.horizon).transpose(0, 2, 1)
        statistics = self.facts.statistics
        mean_C, std_C = (np.asarray(a)[self.targets] for a in (statistics.mean, statistics.std))
        forecast_BHC = forecast * std_C + mean_C
        columns: dict[str, list[Any]] = {
            "id": [
                steps.ids[self._series(steps, row)] for row in rows for _ in range(self.horizon)
            ],
            "step": list(range(1, self.horizon + 1)) * num_rows,
        }
        for c, channel in enumerate(self.targets):
            columns[self.facts.features[channel]] = forecast_BHC[:, :, c].ravel().tolist()
        return columns

    def _series(self, steps: Steps, rows: np.ndarray) -> Any:
        """The series that each row's first target belongs to, or would as its next step."""
        return np.searchsorted(steps.offset_S, rows - 1, side="right") - 1

    def _past(self, steps: Steps, rows: np.ndarray) -> np.ndarray:
        """Scaled look-backs, missing values as NaN."""
        first_B = steps.offset_S[self._series(steps, rows)]
        index_BL = rows[:, None] + np.arange(-self.look_back, 0)
        return self._scaled(steps.values_NF[np.maximum(index_BL, first_B[:, None])])

    def _future(self, steps: Steps, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scaled targets with zeros where missing, and their weights."""
        # On raw input the future lies beyond the file: there is nothing to compare with.
        index_BH = rows[:, None] + np.arange(self.horizon)
        inside_BH = index_BH < len(steps.values_NF)
        index_BH = np.minimum(index_BH, len(steps.values_NF) - 1)
        future_BHC = self._scaled(steps.values_NF[index_BH])[:, :, self.targets]
        valid_BHC = np.isfinite(future_BHC) & inside_BH[:, :, None]
        if steps.observed_NF is not None:
            valid_BHC &= steps.observed_NF[index_BH][:, :, self.targets].astype(bool)
        return np.where(valid_BHC, future_BHC, np.float32(0)), valid_BHC.astype(np.float32)

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        return scaled(values, self.facts.statistics, "standard").astype(np.float32, copy=False)

    def _frame(self, past_BLF: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shift and scale of each window and channel, from what was observed in it."""
        rows, _, features = past_BLF.shape
        shift_B1F = np.zeros((rows, 1, features), dtype=np.float32)
        scale_B1F = np.ones_like(shift_B1F)
        how = self.inputs.normalization
        if how == "none":
            return shift_B1F, scale_B1F
        seen_BLF = np.isfinite(past_BLF)
        if how == "last":
            length = past_BLF.shape[1]
            last_B1F = np.where(seen_BLF, np.arange(length)[:, None], 0).max(axis=1, keepdims=True)
            shift_B1F = np.nan_to_num(np.take_along_axis(past_BLF, last_B1F, axis=1))
            return shift_B1F, scale_B1F
        count_B1F = np.maximum(seen_BLF.sum(axis=1, keepdims=True), 1).astype(np.float32)
        filled_BLF = np.where(seen_BLF, past_BLF, np.float32(0))
        shift_B1F = filled_BLF.sum(axis=1, keepdims=True) / count_B1F
        if how == "mean_std":
            spread_BLF = np.where(seen_BLF, past_BLF - shift_B1F, np.float32(0))
            variance_B1F = np.square(spread_BLF).sum(axis=1, keepdims=True) / count_B1F
            scale_B1F = np.sqrt(variance_B1F + np.float32(1e-5))
        return shift_B1F, scale_B1F

    def _per_channel(self, values_BTC: np.ndarray) -> np.ndarray:
        """Rows x steps x channels → (rows x channels) x steps x 1."""
        rows, length, channels = values_BTC.shape
        return values_BTC.transpose(0, 2, 1).reshape(rows * channels, length, 1)

    def _forecast(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Model outputs in scored units: the window's normalisation undone."""
        forecast: Tensor = outputs.reshape(batch.targets.shape) * batch.scale + batch.shift
        return forecast

    def _naive(self, store: Store, rows: np.ndarray, season: int) -> dict[str, float]:
        """Scores of repeating the last `season` steps before each target."""
        total = np.zeros(4)
        back_H = np.arange(self.horizon) % season - season
        for start in range(0, len(rows), _BASELINE_CHUNK):
            chunk = rows[start : start + _BASELINE_CHUNK]
            future_BHC, weights_BHC = self._future(store, chunk)
            first_B = store.offset_S[self._series(store, chunk)]
            index_BH = np.maximum(chunk[:, None] + back_H, first_B[:, None])
            guess_BHC = np.nan_to_num(self._scaled(store.values_NF[index_BH])[:, :, self.targets])
            error_BHC = (guess_BHC - future_BHC).astype(np.float64)
            total += [
                (error_BHC**2 * weights_BHC).sum(),
                (np.abs(error_BHC) * weights_BHC).sum(),
                weights_BHC.sum(dtype=np.float64),
                0,
            ]
        return self.metrics(total.tolist())
