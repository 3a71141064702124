"""One trial on one rank: its fits epoch by epoch, the best of them, and where to go on."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tuner import registry
from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.errors import Diverged
from tuner.outcome import tie_breaker
from tuner.tasks import _tables as tables
from tuner.training import checkpoint, looks
from tuner.training.fit import Fit, below
from tuner.training.gradients import PREFIX, note
from tuner.training.job import Job
from tuner.training.lease import Folder, Lease
from tuner.training.ranks import Ranks

_CHECKPOINT_SECONDS = 2.0
"""Epochs shorter than this share a checkpoint: at most one epoch, or this time, is repeated."""

BEST = "best"


Point = tuple[int, dict[str, float]]
"""An epoch and its metrics."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """One epoch of a trial, the same on every rank."""

    epoch: int
    metrics: dict[str, float]
    """Validation metrics (means over folds), `train_loss`, `lr`, norms of the gradient,
    `rows_per_second`, and `left_out` of tasks that leave training sequences out."""
    best: float
    """Best value of the objective so far."""
    best_epoch: int
    best_metrics: dict[str, float]
    seconds: float
    """Wall seconds of training and validation so far, over all attempts."""
    ended: str = ""
    """Why the trial ended by itself; empty while it goes on."""


class Trial:
    """The fits of one trial: one, or one for each fold, which advance together.

    With folds an epoch's value is the mean over folds at equal budget, and the epochs to refit are
    the mean of each fold's own best epoch. Of equal epochs that of the lowest loss is the best.
    """

    def __init__(
        self,
        job: Job,
        store: Store,
        ranks: Ranks,
        micro_batch: int | None,
        lease: Lease | None = None,
    ) -> None:
        for folder in job.parts:
            registry.search_in(folder)
        self.job, self.store, self.ranks = job, store, ranks
        self.config = TrialConfig.from_values(job.values, job.task)
        self.folder = Path(job.folder)
        self.refits = job.refit_epochs is not None
        num_folds = 0 if self.refits else store.card.num_folds
        folds: list[int | None] = list(range(num_folds)) or [None]
        self.fits = [
            Fit(
                self.config,
                make_task(job.task, self.config, store.card, fold),
                store,
                ranks,
                data=Path(job.data),
                fold=fold,
                micro_batch=micro_batch,
            )
            for fold in folds
        ]
        self.epochs = job.refit_epochs or job.until or self.config.training.epochs
        self.epoch = 0
        self.seconds = 0.0
        self.values: list[list[float]] = []
        """Objective of each epoch and fold, larger always better."""
        self.losses: list[list[float]] = []
        """Loss of each epoch and fold on validation rows, which tells equal objectives apart."""
        self.curve: list[Point] = []
        """Every epoch so far, over all attempts: what was trained but not told when a process died
        is told by the next one."""
        self.best_value, self.best_loss, self.best_epoch = -math.inf, math.inf, 0
        self.best_metrics: dict[str, float] = {}
        self._best_tensors: dict[str, torch.Tensor] = {}
        self._sums: list[list[float]] = [[] for _ in self.fits]
        """The task's sums of the last epoch on each fit's validation rows."""
        self._best_sums: list[float] = []
        """Those of the best epoch, over all folds."""
        self._kept_epoch = self._saved_epoch = 0
        self._saved_at = time.monotonic()
        self._ended = False
        self._lease = lease or Lease(Folder(self.folder))

    def advance(self) -> Report:
        """Trains and scores one epoch.

        Raises:
            Diverged: a loss, metric or output is not finite.
            LaneBroken: another lane has taken this trial up.
        """
        begin = time.perf_counter()
        if self.ranks.rank == 0:
            self._lease.claim()
        self.epoch += 1
        per_fit = [self._one(index, fit) for index, fit in enumerate(self.fits)]
        metrics = {name: sum(m[name] for m in per_fit) / len(per_fit) for name in per_fit[0]}
        elapsed = time.perf_counter() - begin
        self.seconds += elapsed
        metrics["rows_per_second"] = sum(fit.train.rows_per_epoch for fit in self.fits) / elapsed
        self.curve.append((self.epoch, metrics))
        if self.refits:
            value, loss = float(self.epoch), 0.0
        else:
            self.values.append([self._value(m) for m in per_fit])
            self.losses.append([tie_breaker(m) for m in per_fit])
            value, loss = (sum(each[-1]) / len(per_fit) for each in (self.values, self.losses))
        if (value, -loss) > (self.best_value, -self.best_loss):
            self._remember_best(value, loss, metrics)
        ended = self._end()
        if ended or time.monotonic() - self._saved_at >= _CHECKPOINT_SECONDS:
            if self.ranks.rank == 0:
                self._lease.check()
            self.stop() if ended else self.save()
        sign = 1 if self.job.maximize else -1
        return Report(
            epoch=self.epoch,
            metrics=metrics,
            best=sign * self.best_value,
            best_epoch=self.refit_epochs,
            best_metrics=self.best_metrics,
            seconds=self.seconds,
            ended=ended,
        )

    def note(self) -> str:
        """What its gradients suffer from, an epoch that diverged included; empty if nothing."""
        broken = [fit.gradients.figures() for fit in self.fits]
        return note([*(metrics for _, metrics in self.curve), *broken])

    @property
    def refit_epochs(self) -> int:
        """The best epoch: with folds the rounded mean of theirs.

        Where a fold is at its best for many epochs, the one of the lowest loss counts: at the
        first, a training that differs by a seed may not have come there yet.
        """
        if len(self.fits) == 1:
            return self.best_epoch
        histories = zip(zip(*self.values, strict=True), zip(*self.losses, strict=True), strict=True)
        bests = [_best_of(values, losses) for values, losses in histories]
        return max(1, round(sum(bests) / len(bests)))

    def evaluate(self, split: str) -> dict[str, float]:
        """Metrics of the best weights on a split.

        Of the test split exhibits are kept; where there is none, of the validation split.
        """
        (fit,) = self.fits
        best = checkpoint.read(self.folder, BEST)
        if best is not None:
            fit.module.load_state_dict(best.tensors)
        assert split in ("train", "validation", "test")
        batches = fit.batches(split)  # type: ignore[arg-type]
        sums = fit.statistics(batches, split)  # type: ignore[arg-type]
        shown = "test" if self.store.card.num_sequences.get("test") else "validation"
        if split == shown and self.ranks.rank == 0:
            found = fit.task.tables(sums) | looks.exhibits(fit, batches.rows)
            tables.write(found, self.folder, split)
        return fit.task.metrics(sums)

    def _one(self, index: int, fit: Fit) -> dict[str, float]:
        history = [values[index] for values in self.values]
        metrics = fit.epoch(self.epoch, history)
        if self.refits:
            return metrics
        with fit.scored():
            self._sums[index] = fit.statistics(fit.validation)
        metrics |= fit.task.metrics(self._sums[index])
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise Diverged(f"`{name}` is {value} after epoch {self.epoch}")
        return metrics

    def _value(self, metrics: dict[str, float]) -> float:
        value = metrics[self.job.metric]
        return value if self.job.maximize else -value

    def _remember_best(self, value: float, loss: float, metrics: dict[str, float]) -> None:
        self.best_value, self.best_loss, self.best_epoch = value, loss, self.epoch
        # Gradients have curves and a note; no best model is looked up by them.
        self.best_metrics = {n: v for n, v in metrics.items() if not n.startswith(PREFIX)}
        self._best_sums = [sum(each) for each in zip(*self._sums, strict=True)]
        if len(self.fits) == 1:
            (fit,) = self.fits
            with fit.scored():
                state = fit.module.state_dict()
                self._best_tensors = {name: t.detach().cpu().clone() for name, t in state.items()}

    def _end(self) -> str:
        if self.epoch >= self.epochs:
            return f"trained its {self.epochs} epochs"
        patience = self.config.training.patience
        if patience and not self.refits and self.epoch - self._improved() >= patience:
            return f"no better value in {patience} epochs"
        return ""

    def _improved(self) -> int:
        """The epoch that last had a better value; a lower loss alone is none."""
        means = [sum(values) / len(values) for values in self.values]
        return means.index(max(means)) + 1

    def stop(self) -> None:
        """Keeps the best weights of a trial that goes no further, and nothing else; nothing at all
        if another lane has taken it up."""
        if self.ranks.rank == 0 and not self._ended:
            self._ended = True
            self._lease.claim()
            if self._lease.is_held():
                self._keep_best()
                checkpoint.delete_epochs(self.folder)
                self._lease.end()

    def save(self) -> None:
        """Writes where to go on from, unless the trial has ended or another lane has taken it
        up."""
        if self.ranks.rank == 0 and not self._ended and self.epoch > self._saved_epoch:
            if not self._lease.is_held():
                return
            self._saved_epoch, self._saved_at = self.epoch, time.monotonic()
            checkpoint.write_epoch(self.folder, self.epoch, self._tensors(), self._state())

    def _keep_best(self) -> None:
        if self._best_tensors and self._kept_epoch != self.best_epoch:
            checkpoint.write(self.folder, BEST, self._best_tensors, {"epoch": self.best_epoch})
            self._kept_epoch = self.best_epoch
        if self._best_sums:
            tables.write(self.fits[0].task.tables(self._best_sums), self.folder, "validation")

    def _tensors(self) -> dict[str, torch.Tensor]:
        found = {f"best/{name}": tensor for name, tensor in self._best_tensors.items()}
        found["best_sums"] = torch.tensor(self._best_sums, dtype=torch.float64)
        for index, fit in enumerate(self.fits):
            found |= {f"fit{index}/{name}": tensor for name, tensor in fit.tensors().items()}
        return found

    def _state(self) -> dict[str, Any]:
        return {
            "values": self.job.values,
            "epoch": self.epoch,
            "seconds": self.seconds,
            "history": self.values,
            "losses": self.losses,
            "curve": self.curve,
            "best_value": self.best_value,
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
            "best_metrics": self.best_metrics,
        }

    def restore(self) -> int:
        """Goes on from the newest whole checkpoint of the same values; gives its epoch, or 0."""
        found = checkpoint.read_latest(self.folder)
        if found is None or found.state["values"] != self.job.values:
            return 0
        state, tensors = found.state, found.tensors
        for index, fit in enumerate(self.fits):
            fit.restore(below(tensors, f"fit{index}/"))
        self._best_tensors = below(tensors, "best/")
        self._best_sums = tensors["best_sums"].tolist()
        self.epoch, self.seconds = state["epoch"], state["seconds"]
        self._saved_epoch = self.epoch
        self.values, self.losses = state["history"], state["losses"]
        self.curve = [(epoch, metrics) for epoch, metrics in state["curve"]]
        self.best_value, self.best_loss = state["best_value"], state["best_loss"]
        self.best_epoch = state["best_epoch"]
        self.best_metrics = state["best_metrics"]
        return self.epoch


def _best_of(values: Sequence[float], losses: Sequence[float]) -> int:
    """The epoch, from 1, of the largest value; among equals that of the lowest loss."""
    return max(range(len(values)), key=lambda index: (values[index], -losses[index])) + 1
