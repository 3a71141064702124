"""Several steps ahead, for one or many series, with missing values.

Scores are in units of each channel's deviation over the training rows, the same for every trial,
whatever its inputs look like. A longer look-back never removes a target: where a series does not
reach back far enough, its first value stands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from tuner.data import origins
from tuner.data.card import TaskData
from tuner.data.seasons import season
from tuner.models.shape import Shape
from tuner.part import Config as PartConfig
from tuner.plots.exhibits import Exhibit
from tuner.tasks._base import Batch, Facts, Outputs, Run, Split, Task, scaled
from tuner.tasks._forecast_exhibits import ForecastExhibits
from tuner.tasks._forecast_scores import METRICS, UNITS, Scores
from tuner.tasks._windows import Windows, per_channel, series_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.data.store import Steps, Store

_BASELINE_CHUNK = 4096

Level = Annotated[float, Field(gt=0, lt=1)]


class Config(PartConfig):
    """Options of the task."""

    name: Literal["forecasting"] = "forecasting"
    horizon: int = Field(ge=1)
    """Steps to forecast."""
    season: int | None = Field(default=None, ge=1)
    """Steps of the seasonal baseline and of MASE; by default a day of (quarter, half) hours, a week
    of days."""
    quantiles: Annotated[list[Level], Field(min_length=2)] | None = None
    """Levels to forecast, ascending and 0.5 among them, instead of a mean: trained by pinball loss,
    the median being the forecast."""

    @model_validator(mode="after")
    def _has_a_median(self) -> Config:
        levels = self.quantiles
        if levels and (levels != sorted(set(levels)) or 0.5 not in levels):
            raise ValueError("`task/quantiles` must ascend and hold 0.5, the median")
        return self


class InputConfig(PartConfig):
    """How a window becomes an input."""

    look_back: int = Field(default=96, ge=1)
    """Steps of the past that a forecast may see."""
    normalization: Literal["none", "last", "mean", "mean_std"] = "none"
    """What each window is freed from, per channel, and given back on output: nothing, its last
    value, its mean, or its mean and deviation."""
    channels: Literal["mixed", "shared"] = "mixed"
    """One model for all channels at once, or one for each channel by itself with shared weights
    (features that are neither targets, known ahead nor static are then left out)."""
    decoding: Literal["direct", "recursive", "seq2seq"] = "direct"
    """All steps ahead at once; one after the other, each from the forecast before (other features
    than targets, known ones and static ones are then left out); or by a decoder of what is known
    ahead, which begins with the state that the past left."""
    patch: int = Field(default=1, ge=1)
    """Steps of the past that make one input step; the look-back is cut to a multiple of it."""
    scaling: Literal["standard", "robust", "minmax", "none"] = "standard"
    """Of inputs, fitted on the training rows: to mean 0 and deviation 1, to median 0 and quartiles
    one apart, to [0, 1], or as is. What is scored stays in deviations."""
    smooth: int = Field(default=1, ge=1)
    """Steps of the past that an input is the mean of, its own the last; 1 leaves inputs as they
    are."""
    missing_mask: bool = False
    """Tell, by an input of 0 or 1 for each feature with missing values, which were observed."""
    spectral: int = Field(default=0, ge=0)
    """So many magnitudes of the look-back's Fourier transform, lowest frequencies first, are inputs
    too."""
    channel_embedding: bool = False
    """Tell shared channels apart: each step holds a one of its channel's own, for which the first
    layer learns a vector."""
    stride: int = Field(default=1, ge=1)
    """Steps from one training window to the next; scored windows are always one step apart."""


def data(options: Config) -> TaskData:
    """Series cut by time."""
    return TaskData(kind="series", horizon=options.horizon, season=options.season)


def metrics(options: Config, targets: int | None) -> dict[str, str]:
    """Metrics that may rank trials: of quantiles, and in the data's units where one channel of a
    spec is the target; `targets` is how many a spec names, None if it leaves that to the data."""
    found = dict(METRICS)
    if targets == 1:
        found |= UNITS
    if options.quantiles:
        found["pinball"] = "minimize"
    return found


def create(options: Config, inputs: InputConfig, facts: Facts) -> Task:
    """Makes the task for one data set."""
    return Forecasting(options, inputs, facts)


class Forecasting(Task):
    """Squared error over windows, steps and channels, or pinball loss of quantiles.

    A row is the place of its first target.
    """

    def __init__(self, options: Config, inputs: InputConfig, facts: Facts) -> None:
        self.inputs, self.facts = inputs, facts
        self.horizon = options.horizon
        self.season = season(options.season, facts.step_seconds)
        self.quantiles = options.quantiles or []
        self.targets = np.asarray(facts.target_channels, dtype=np.int64)
        self.shared = inputs.channels == "shared"
        self._windows = Windows(inputs, facts, options.horizon)
        self._scores = Scores(facts.statistics, self.targets, self.quantiles)
        self.num_inputs = self._windows.num_inputs
        self._channels = 1 if self.shared else len(self.targets)
        self._levels = max(len(self.quantiles), 1)
        self.num_outputs = self.horizon * self._channels * self._levels

    def shapes(self) -> list[Shape]:
        if self.inputs.decoding == "direct":
            return super().shapes()
        outputs = self._channels * self._levels
        shape = Shape(self.num_inputs, outputs, per_step=True, carries=True)
        return [shape] * (2 if self._has_decoder else 1)

    def network(self, networks: list[nn.Module]) -> nn.Module:
        if self.inputs.decoding == "direct":
            return super().network(networks)
        from tuner.models.decoding import Recursive, Seq2Seq

        if self._has_decoder:
            encoder, decoder = networks
            return Seq2Seq(encoder, decoder, self.horizon)
        median = self.quantiles.index(0.5) if self.quantiles else 0
        answers = [c * self._levels + median for c in range(self._channels)]
        (network,) = networks
        return Recursive(network, self.horizon, answers)

    @property
    def _has_decoder(self) -> bool:
        """One step ahead is the encoder's own."""
        return self.inputs.decoding == "seq2seq" and self.horizon > 1

    def rows(self, store: Store, split: Split, fold: int | None) -> np.ndarray:
        look_back, stride = self._windows.look_back, self.inputs.stride
        train_end_S, begin_S, end_S = self._bounds(store, split, fold)
        starts: list[np.ndarray] = []
        for series, offset in enumerate(store.offset_S):
            if split == "train":
                end = int(train_end_S[series])
                # Windows that would mostly repeat the first value teach little.
                begin = max(1, min(look_back, (end - self.horizon) // 2))
                # The latest window is always among them.
                places = np.arange(end - self.horizon, begin - 1, -stride)[::-1]
            else:
                begin, end = int(begin_S[series]), int(end_S[series])
                places = np.arange(max(begin, 1), end - self.horizon + 1)
            starts.append(offset + places)
        rows = np.concatenate(starts) if starts else np.zeros(0)
        return rows.astype(np.int64)

    def _bounds(
        self, store: Store, split: Split, fold: int | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """In each series: where training ends, and where the split begins and ends."""
        bounds = store.bounds
        if fold is not None and split != "test":
            return origins.spans(bounds["train_end"], store.card.num_folds, fold, self.horizon)
        name = "validation" if split == "train" else split
        return bounds["train_end"], bounds[f"{name}_start"], bounds[f"{name}_end"]

    def batch(self, steps: Steps, rows: np.ndarray) -> Batch:
        inputs, shift, scale = self._windows.cut(steps, rows)
        future_BHC, weights_BHC = self.future(steps, rows)
        if self.shared:
            future_BHC, weights_BHC = per_channel(future_BHC), per_channel(weights_BHC)
        return Batch(
            inputs=np.ascontiguousarray(inputs, dtype=np.float32),
            lengths=np.full(len(inputs), inputs.shape[1], dtype=np.int64),
            targets=np.ascontiguousarray(future_BHC, dtype=np.float32),
            weights=np.ascontiguousarray(weights_BHC, dtype=np.float32),
            shift=np.ascontiguousarray(shift, dtype=np.float32),
            scale=np.ascontiguousarray(scale, dtype=np.float32),
        )

    def count(self, steps: Steps, rows: np.ndarray) -> int:
        if steps.observed_NF is None:
            return len(rows) * self.horizon * len(self.targets)
        return int(self.future(steps, rows)[1].sum())

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        forecast = self._forecast(outputs, batch)
        if not self.quantiles:
            error_BHC = forecast - batch.targets
            total: Tensor = (error_BHC.square() * batch.weights).sum()
            return total
        level_Q = forecast.new_tensor(self.quantiles)
        below_BHCQ = batch.targets[..., None] - forecast
        loss_BHC = (level_Q * below_BHCQ - below_BHCQ.clamp(max=0)).mean(dim=-1)
        total = (loss_BHC * batch.weights).sum()
        return total

    def statistics(self, outputs: Outputs, batch: Batch) -> Tensor:
        import torch

        forecast = self._forecast(outputs, batch).double()
        quantiles = None
        if self.quantiles:
            # Quantiles that cross are put in order (Chernozhukov et al., 2010).
            quantiles = forecast.sort(dim=-1).values
            forecast = quantiles[..., self.quantiles.index(0.5)]
        units = self._scores.units(len(batch.targets) if self.shared else None)
        sums = self._scores.sums(
            forecast,
            batch.targets.double(),
            batch.weights.double(),
            [torch.from_numpy(array).to(outputs.device) for array in units],
            quantiles,
        )
        return torch.stack([each.double() for each in sums])

    def metrics(self, statistics: Sequence[float]) -> dict[str, float]:
        return self._scores.metrics(statistics)

    def exhibits(self, store: Store, rows: np.ndarray, run: Run) -> dict[str, Exhibit]:
        """Forecasts against the truth, and how the error grows with the steps ahead."""
        return ForecastExhibits(self, store, run).all(rows)

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
        """One forecast per series, of the steps after its last measured one."""
        rows: np.ndarray = steps.offset_S.astype(np.int64) + steps.length_S
        return rows if steps.ahead_S is None else rows - steps.ahead_S

    def decode(
        self, steps: Steps, rows: np.ndarray, outputs: Outputs, batch: Batch
    ) -> dict[str, list[Any]]:
        """One line per step ahead, channels beside each other, in the data's own units."""
        num_rows, num_channels = len(rows), len(self.targets)
        levels = self._levels
        shape = (*batch.targets.shape, levels)
        forecast = outputs.reshape(shape) * batch.scale[..., None] + batch.shift[..., None]
        if self.shared:
            forecast = forecast.reshape(num_rows, num_channels, self.horizon, levels)
            forecast = forecast.transpose(0, 2, 1, 3)
        statistics = self.facts.statistics
        mean_C, std_C = (np.asarray(a)[self.targets] for a in (statistics.mean, statistics.std))
        forecast_BHCQ = np.sort(forecast * std_C[:, None] + mean_C[:, None], axis=-1)
        columns: dict[str, list[Any]] = {
            "id": [steps.ids[s] for s in series_of(steps, rows) for _ in range(self.horizon)],
            "step": list(range(1, self.horizon + 1)) * num_rows,
        }
        median = self.quantiles.index(0.5) if self.quantiles else 0
        for c, channel in enumerate(self.targets):
            name = self.facts.features[channel]
            columns[name] = forecast_BHCQ[:, :, c, median].ravel().tolist()
            for q, level in enumerate(self.quantiles):
                if q != median:
                    columns[f"{name} {level:g}"] = forecast_BHCQ[:, :, c, q].ravel().tolist()
        return columns

    def future(self, steps: Steps, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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

    def _forecast(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Model outputs in scored units, of the targets' shape, and one dimension more where there
        are quantiles: the window's normalisation undone."""
        shape = batch.targets.shape
        if not self.quantiles:
            forecast: Tensor = outputs.reshape(shape) * batch.scale + batch.shift
            return forecast
        forecast = outputs.reshape(*shape, -1) * batch.scale[..., None] + batch.shift[..., None]
        return forecast

    def _naive(self, store: Store, rows: np.ndarray, steps: int) -> dict[str, float]:
        """Scores of repeating the last `steps` steps before each target."""
        sums: list[np.ndarray] = []
        back_H = np.arange(self.horizon) % steps - steps
        units = self._scores.units(None)
        for start in range(0, len(rows), _BASELINE_CHUNK):
            chunk = rows[start : start + _BASELINE_CHUNK]
            future, weights = (a.astype(np.float64) for a in self.future(store, chunk))
            first_B = store.offset_S[series_of(store, chunk)]
            index_BH = np.maximum(chunk[:, None] + back_H, first_B[:, None])
            guess = np.nan_to_num(self._scaled(store.values_NF[index_BH])[:, :, self.targets])
            guess = guess.astype(np.float64)
            levels = np.stack([guess] * len(self.quantiles), axis=-1) if self.quantiles else None
            sums.append(np.array(self._scores.sums(guess, future, weights, units, levels)))
        return self.metrics(np.sum(sums, axis=0).tolist())
