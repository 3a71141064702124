"""Many to one: a class for each sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from tuner.data.card import TaskData
from tuner.part import Config as PartConfig
from tuner.plots.exhibits import Exhibit, Listing
from tuner.tasks import _exhibits
from tuner.tasks._balance import Balance, Sampling
from tuner.tasks._base import Batch, Facts, Outputs, Run, Split, Task
from tuner.tasks._inputs import SequenceInputs
from tuner.tasks._losses import ClassLossConfig as LossConfig
from tuner.tasks._losses import ClassWeights, class_losses, class_weights, mixed
from tuner.tasks._sequences import SequenceTask
from tuner.tasks._tables import Table

if TYPE_CHECKING:
    from torch import Tensor

    from tuner.data.store import Steps, Store

METRICS = {
    "accuracy": "maximize",
    "balanced_accuracy": "maximize",
    "macro_f1": "maximize",
    "loss": "minimize",
}
"""Metric → direction; the first is the default objective."""

AUGMENTED = frozenset({"values", "steps", "rows"})


class Config(PartConfig):
    """Options of the task."""

    name: Literal["classification"] = "classification"


class InputConfig(SequenceInputs):
    """How a sequence becomes an input, and which sequences an epoch visits."""

    class_weights: ClassWeights = "none"
    """What a class counts in the training loss: 1, or more the rarer it is, in inverse proportion
    to its training rows or to their root; 1 in the mean over the training rows."""
    sampling: Sampling = "none"
    """What evens out the classes of an epoch: nothing; rows of rarer classes that come again; rows
    of commoner classes that are left out, others each epoch; or synthetic rows between a row of a
    rarer class and one of its nearest (SMOTE, Chawla et al. 2002), new ones each epoch."""
    neighbors: int = Field(default=5, ge=1)
    """How many of the nearest rows of its class a synthetic row may lie towards."""


def data(options: Config) -> TaskData:
    """One label per sequence."""
    return TaskData(kind="sequence", sided=True)


def create(
    options: Config, inputs: InputConfig, facts: Facts, losses: LossConfig | None = None
) -> Task:
    """Makes the task for one data set."""
    return Classification(inputs, facts, losses or LossConfig())


class Classification(SequenceTask):
    """Cross-entropy over classes; every metric comes from one confusion matrix."""

    def __init__(self, inputs: InputConfig, facts: Facts, losses: LossConfig) -> None:
        super().__init__(inputs, facts)
        self.inputs, self.losses = inputs, losses
        self.num_outputs = len(facts.labels)
        self._weights_C = class_weights(inputs.class_weights, facts.statistics.class_counts)

    def batch(self, steps: Steps, rows: np.ndarray) -> Batch:
        inputs, lengths_B, _ = self.reader.cut(steps, rows)
        return Batch(
            inputs=inputs,
            lengths=lengths_B,
            side=self.reader.side(steps, rows),
            targets=steps.label_S[rows].astype(np.int64),
            weights=np.ones(len(rows), dtype=np.float32),
        )

    def count(self, steps: Steps, rows: np.ndarray) -> int:
        return len(rows)

    def balance(self, steps: Steps, rows: np.ndarray) -> Balance | None:
        how = self.inputs.sampling
        if how == "none":
            return None
        return Balance(how=how, class_R=steps.label_S[rows], neighbors=self.inputs.neighbors)

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        import torch

        weights_C = None
        if self._weights_C is not None:
            weights_C = torch.from_numpy(self._weights_C).to(outputs.device)
        loss_B = mixed(lambda y_B: class_losses(outputs, y_B, self.losses, weights_C), batch)
        total: Tensor = loss_B @ batch.weights
        return total

    def statistics(self, outputs: Outputs, batch: Batch) -> Tensor:
        import torch
        from torch.nn.functional import cross_entropy

        loss = cross_entropy(outputs, batch.targets, reduction="none") @ batch.weights
        classes = self.num_outputs
        cells = batch.targets * classes + outputs.argmax(dim=1)
        confusion = torch.bincount(cells, minlength=classes * classes).double()
        broken = (~torch.isfinite(outputs)).sum().double()
        return torch.cat([confusion, torch.stack([loss.double(), broken])])

    def metrics(self, statistics: Sequence[float]) -> dict[str, float]:
        *cells, loss, broken = statistics
        confusion_CC = np.reshape(cells, (self.num_outputs, self.num_outputs))
        total = confusion_CC.sum()
        if broken or not total:
            return dict.fromkeys(METRICS, float("nan"))
        hits_C, truth_C, guess_C = confusion_CC.diagonal(), confusion_CC.sum(1), confusion_CC.sum(0)
        present_C = truth_C > 0
        recall_C = hits_C[present_C] / truth_C[present_C]
        named_C = (truth_C + guess_C) > 0
        f1_C = 2 * hits_C[named_C] / (truth_C + guess_C)[named_C]
        return {
            "accuracy": float(hits_C.sum() / total),
            "balanced_accuracy": float(recall_C.mean()),
            "macro_f1": float(f1_C.mean()),
            "loss": float(loss / total),
        }

    def tables(self, statistics: Sequence[float]) -> dict[str, Table]:
        names = self.facts.labels
        counts_CC = np.reshape(statistics[:-2], (len(names), len(names))).astype(int)
        table = Table(
            about="Sequences by their class (a row each) and the class that was predicted.",
            columns=names,
            rows={name: tuple(row) for name, row in zip(names, counts_CC.tolist(), strict=True)},
        )
        return {"confusion": table}

    def exhibits(self, store: Store, rows: np.ndarray, run: Run) -> dict[str, Exhibit]:
        """The errors of which the model was surest."""
        errors: list[tuple[float, tuple[str, ...]]] = []
        for chunk in _exhibits.chunks(rows):
            batch = self.batch(store, chunk)
            share_BC = _softmax(run(batch, None)[0])
            guess_B = share_BC.argmax(axis=1)
            for b in np.flatnonzero(guess_B != batch.targets):
                true, said, row = int(batch.targets[b]), int(guess_B[b]), int(chunk[b])
                words = self.step_names(store, row)
                texts = [_exhibits.shortened(words)] * bool(words)
                named = [self.facts.labels[true], self.facts.labels[said]]
                shares = [f"{share_BC[b, c]:.2f}" for c in (said, true)]
                told = (store.ids[row], *texts, *named, *shares)
                errors.append((float(share_BC[b, said]), told))
        if not errors:
            return {}
        errors.sort(key=lambda error: -error[0])
        first = tuple(told for _, told in errors[: _exhibits.LISTED])
        facts = ("class", "predicted", "its probability", "the class's")
        columns = ("id", *["text"] * (len(first[0]) - 1 - len(facts)), *facts)
        about = "The errors of which the model was surest."
        return {"errors": Listing(about=about, columns=columns, rows=first)}

    def baselines(
        self, store: Store, split: Split, fold: int | None
    ) -> dict[str, dict[str, float]]:
        """The most frequent class of the training rows, at its training share."""
        classes = self.num_outputs
        train_C = np.bincount(store.label_S[self.rows(store, "train", fold)], minlength=classes)
        truth_C = np.bincount(store.label_S[self.rows(store, split, fold)], minlength=classes)
        confusion_CC = np.zeros((classes, classes))
        confusion_CC[:, train_C.argmax()] = truth_C
        # Add-one shares keep the loss finite for a class that training never saw.
        loss = -float(truth_C @ np.log((train_C + 1) / (train_C.sum() + classes)))
        return {"majority class": self.metrics([*confusion_CC.ravel(), loss, 0.0])}

    def is_labelled(self, steps: Steps) -> bool:
        return bool((steps.label_S >= 0).all())

    def decode(
        self, steps: Steps, rows: np.ndarray, outputs: Outputs, batch: Batch
    ) -> dict[str, list[Any]]:
        """Label and the probability of each class."""
        shares_BC = _softmax(outputs)
        columns: dict[str, list[Any]] = {
            "id": [steps.ids[row] for row in rows],
            "label": [self.facts.labels[i] for i in outputs.argmax(axis=1)],
        }
        for c, label in enumerate(self.facts.labels):
            columns[f"probability {label}"] = shares_BC[:, c].tolist()
        return columns


def _softmax(outputs_BC: np.ndarray) -> np.ndarray:
    exponents_BC = np.exp(outputs_BC - outputs_BC.max(axis=1, keepdims=True))
    shares_BC: np.ndarray = exponents_BC / exponents_BC.sum(axis=1, keepdims=True)
    return shares_BC
