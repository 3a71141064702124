"""Many to one: a number, or some, for each sequence.

Scores are in the data's own units, whatever the training loss is; several targets count alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from tuner.data.card import TaskData
from tuner.part import Config as PartConfig
from tuner.plots.exhibits import Exhibit, Points
from tuner.tasks import _exhibits
from tuner.tasks._base import Batch, Facts, Outputs, Run, Split, Task
from tuner.tasks._inputs import SequenceInputs
from tuner.tasks._losses import mixed
from tuner.tasks._sequences import SequenceTask

if TYPE_CHECKING:
    from torch import Tensor

    from tuner.data.store import Steps, Store

METRICS = {"rmse": "minimize", "mae": "minimize", "mse": "minimize", "r2": "maximize"}
"""Metric → direction; the first is the default objective: in the target's own units, what the
default loss minimises, and what the archives of the field compare (Tan et al. 2021)."""

_POINTS, _PICTURES = 1000, 6
"""Sequences and targets that are drawn."""

AUGMENTED = frozenset({"values", "steps", "rows"})


class Config(PartConfig):
    """Options of the task."""

    name: Literal["regression"] = "regression"


InputConfig = SequenceInputs


class LossConfig(PartConfig):
    """What training minimises, in units of each target's deviation over the training rows."""

    name: Literal["mse", "mae", "huber"] = "mse"
    """Squares of errors; absolute errors, which outliers among the targets move less; or squares
    of small and absolute values of large ones (Huber 1964)."""
    delta: float = Field(default=1.0, gt=0)
    """Of huber: the largest error that is squared, in deviations of the target."""


def data(options: Config) -> TaskData:
    """Numbers for each sequence."""
    return TaskData(kind="sequence", target="number", sided=True)


def create(
    options: Config, inputs: SequenceInputs, facts: Facts, losses: LossConfig | None = None
) -> Task:
    """Makes the task for one data set."""
    return Regression(inputs, facts, losses or LossConfig())


class Regression(SequenceTask):
    """The network gives each target in its deviations from its mean over the training rows."""

    def __init__(self, inputs: SequenceInputs, facts: Facts, losses: LossConfig) -> None:
        super().__init__(inputs, facts)
        self.losses = losses
        self.num_outputs = len(facts.targets)
        self._mean_C = np.asarray(facts.statistics.target_mean)
        self._std_C = np.asarray(facts.statistics.target_std)

    def batch(self, steps: Steps, rows: np.ndarray) -> Batch:
        inputs, lengths_B, _ = self.reader.cut(steps, rows)
        target_BC = self._targets(steps, rows)
        return Batch(
            inputs=inputs,
            lengths=lengths_B,
            side=self.reader.side(steps, rows),
            targets=np.nan_to_num(target_BC).astype(np.float32),
            weights=np.isfinite(target_BC).astype(np.float32),
        )

    def count(self, steps: Steps, rows: np.ndarray) -> int:
        return len(rows) * self.num_outputs

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        from torch.nn import functional

        def loss_BC(targets_BC: Tensor) -> Tensor:
            match self.losses.name:
                case "mse":
                    return functional.mse_loss(outputs, targets_BC, reduction="none")
                case "mae":
                    return functional.l1_loss(outputs, targets_BC, reduction="none")
                case "huber":
                    delta = self.losses.delta
                    return functional.huber_loss(outputs, targets_BC, reduction="none", delta=delta)

        total: Tensor = (mixed(loss_BC, batch) * batch.weights).sum()
        return total

    def statistics(self, outputs: Outputs, batch: Batch) -> Tensor:
        """By target: squared and absolute errors, truth, its squares, count; then broken outputs.

        All in deviations of the training rows, where no squares cancel out.
        """
        import torch

        weights_BC = batch.weights.double()
        truth_BC = batch.targets.double()
        error_BC = outputs.double() - truth_BC
        sums = [
            (error_BC**2 * weights_BC).sum(0),
            (error_BC.abs() * weights_BC).sum(0),
            (truth_BC * weights_BC).sum(0),
            (truth_BC**2 * weights_BC).sum(0),
            weights_BC.sum(0),
        ]
        broken = (~torch.isfinite(outputs)).sum().double()
        return torch.cat([*sums, broken[None]])

    def metrics(self, statistics: Sequence[float]) -> dict[str, float]:
        *sums, broken = statistics
        square_C, absolute_C, truth_C, truth2_C, count_C = np.reshape(sums, (5, -1))
        if broken or not count_C.all():
            return dict.fromkeys(METRICS, float("nan"))
        mse_C = square_C / count_C
        spread_C = truth2_C - truth_C**2 / count_C
        # As scikit-learn has it: where the truth does not vary, right is 1 and wrong is 0.
        varies_C = spread_C > 1e-12 * count_C
        r2_C = np.where(varies_C, 1 - square_C / np.where(varies_C, spread_C, 1), square_C == 0)
        return {
            "rmse": float((np.sqrt(mse_C) * self._std_C).mean()),
            "mae": float((absolute_C / count_C * self._std_C).mean()),
            "mse": float((mse_C * self._std_C**2).mean()),
            "r2": float(r2_C.mean()),
        }

    def exhibits(self, store: Store, rows: np.ndarray, run: Run) -> dict[str, Exhibit]:
        """Predictions against truth, in each target's own units."""
        chunks = list(_exhibits.chunks(_exhibits.spread(rows, _POINTS)))
        guess_RC = np.concatenate([run(self.batch(store, chunk), None)[0] for chunk in chunks])
        truth_RC = np.concatenate([self._targets(store, chunk) for chunk in chunks])
        guess_RC, truth_RC = (each * self._std_C + self._mean_C for each in (guess_RC, truth_RC))
        found: dict[str, Exhibit] = {}
        for c, name in enumerate(self.facts.targets[:_PICTURES]):
            there = np.isfinite(truth_RC[:, c])
            found[f"predicted-{c + 1}"] = Points(
                about=f"{name}: predicted against true, {int(there.sum())} sequences.",
                x_label=f"{name}, true",
                y_label=f"{name}, predicted",
                x=tuple(truth_RC[there, c].tolist()),
                y=tuple(guess_RC[there, c].astype(float).tolist()),
            )
        return found

    def baselines(
        self, store: Store, split: Split, fold: int | None
    ) -> dict[str, dict[str, float]]:
        """The mean and the median of the training rows."""
        train_RC = self._targets(store, self.rows(store, "train", fold))
        truth_RC = self._targets(store, self.rows(store, split, fold))
        guesses = {"mean": train_RC.mean(axis=0), "median": np.median(train_RC, axis=0)}
        return {name: self._score(truth_RC, guess_C) for name, guess_C in guesses.items()}

    def is_labelled(self, steps: Steps) -> bool:
        return steps.target_SC is not None and bool(np.isfinite(steps.target_SC).all())

    def decode(
        self, steps: Steps, rows: np.ndarray, outputs: Outputs, batch: Batch
    ) -> dict[str, list[Any]]:
        """The targets, in their own units."""
        columns: dict[str, list[Any]] = {"id": [steps.ids[row] for row in rows]}
        number_BC = outputs * self._std_C + self._mean_C
        for c, name in enumerate(self.facts.targets):
            # A target may be called `id`, which only the first column is.
            columns[name if name not in columns else f"target {name}"] = number_BC[:, c].tolist()
        return columns

    def _targets(self, steps: Steps, rows: np.ndarray) -> np.ndarray:
        """target_RC in deviations of the training rows; NaN where there is none."""
        if steps.target_SC is None:
            return np.full((len(rows), self.num_outputs), np.nan)
        target_RC: np.ndarray = (steps.target_SC[rows] - self._mean_C) / self._std_C
        return target_RC

    def _score(self, truth_RC: np.ndarray, guess_C: np.ndarray) -> dict[str, float]:
        error_RC = guess_C - truth_RC
        count_C = np.full(self.num_outputs, float(len(truth_RC)))
        sums = [error_RC**2, np.abs(error_RC), truth_RC, truth_RC**2]
        return self.metrics([*np.concatenate([s.sum(axis=0) for s in sums]), *count_C, 0.0])
