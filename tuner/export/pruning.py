"""Magnitude pruning with fine-tuning (Han et al., 2015).

The smallest weights of each matrix become 0 and stay 0, while the others are trained on, at a tenth
of the trial's learning rate, as theirs were.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tuner import registry
from tuner.config import TrialConfig
from tuner.data.store import Store
from tuner.export.contents import Pruning
from tuner.models.network import Network
from tuner.tasks._base import Split, Task
from tuner.training.fit import Fit
from tuner.training.job import Job
from tuner.training.ranks import Ranks

EPOCHS = 10
"""Of fine-tuning; the one with the best validation value counts, or the last where no rows are
left to validate on."""
_RATE = 0.1


def prune(
    job: Job, config: TrialConfig, task: Task, store: Store, module: nn.Module, share: float
) -> tuple[Pruning, dict[str, dict[str, float]]]:
    """Prunes a trained network in place and trains it on.

    Args:
        job: of the trial, or of its refit.
        share: of each matrix's weights.

    Returns:
        What it took and cost, `lost` among it, and the network's metrics on each split that its
        scores are of.
    """
    fit = Fit(_tuning(config), task, store, Ranks(), data=Path(job.data))
    fit.module.load_state_dict(module.state_dict())
    split: Split = "train" if job.refit_epochs else "validation"
    rows = fit.batches(split)
    before = fit.evaluate(rows)[job.metric]
    masks = _masks(fit.module, share)
    _apply(masks)
    hook = fit.optimizer.register_step_post_hook(lambda *_: _apply(masks))
    sign = 1 if job.maximize else -1
    best, kept = -torch.inf, fit.module.state_dict()
    values: list[float] = []
    for epoch in range(1, EPOCHS + 1):
        fit.epoch(epoch, values)
        with fit.scored():
            value = sign * fit.evaluate(rows)[job.metric]
            if value > best or job.refit_epochs:
                best = value
                kept = {name: t.detach().clone() for name, t in fit.module.state_dict().items()}
        values.append(value)
    hook.remove()
    fit.module.load_state_dict(kept)
    _apply(masks)
    module.load_state_dict(fit.module.state_dict())
    splits: list[Split] = [split, *(["test"] if store.card.num_sequences.get("test") else [])]  # type: ignore[list-item]
    metrics = {str(name): fit.evaluate(fit.batches(name), name) for name in splits}
    after = metrics[split][job.metric]
    lost = sign * (before - after)
    parameters = list(module.parameters())
    zeros = sum(int((p == 0).sum()) for p in parameters)
    pruning = Pruning(
        share=share,
        sparsity=zeros / sum(p.numel() for p in parameters),
        epochs=EPOCHS,
        split=split,
        metric=job.metric,
        before=before,
        after=after,
        lost=lost / abs(before) if before else lost,
    )
    return pruning, metrics


def _tuning(config: TrialConfig) -> TrialConfig:
    """The trial's own training, shorter and slower."""
    constant: Any = registry.get("schedules", "constant").Config()
    rate = config.optimizer.lr * _RATE
    return replace(
        config,
        optimizer=config.optimizer.model_copy(update={"lr": rate}),
        schedule=constant,
        training=config.training.model_copy(update={"epochs": EPOCHS, "ema": 0.0, "patience": 0}),
    )


def _masks(module: nn.Module, share: float) -> list[tuple[Tensor, Tensor]]:
    """Each weight matrix that is trained, and 0 where its smallest weights are.

    What scores tags that follow one another is a table, not a matrix that is multiplied with.
    """
    masks: list[tuple[Tensor, Tensor]] = []
    for part in module.modules():
        for parameter in part.parameters(recurse=False):
            if parameter.ndim < 2 or not parameter.requires_grad or isinstance(part, Network):
                continue
            mask = torch.ones(parameter.numel())
            order = parameter.detach().abs().flatten().argsort(stable=True)
            mask[order[: round(share * parameter.numel())]] = 0
            masks.append((parameter, mask.view_as(parameter)))
    return masks


def _apply(masks: list[tuple[Tensor, Tensor]]) -> None:
    with torch.no_grad():
        for parameter, mask in masks:
            parameter.mul_(mask)
