"""Averaged SGD (Polyak and Juditsky, 1992) with a non-monotonic trigger (Merity et al., 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tuner.training.optimizers._base import OptimizerConfig

if TYPE_CHECKING:
    from torch import nn, optim


class Config(OptimizerConfig):
    """Plain SGD, whose steps are averaged once they only wander around a minimum.

    The average is what is validated and kept. A refit has no validation values, so only `start`
    begins it there.
    """

    name: Literal["asgd"] = "asgd"
    lr: float = Field(default=1.0, gt=0)
    """Peak learning rate; the schedule multiplies it."""
    start: float = Field(default=0.75, ge=0, le=1)
    """Share of the full budget after which the averaging begins at the latest; 1 is never."""
    patience: int = Field(default=5, ge=1)
    """Epochs without a better validation value after which it begins."""


def build(config: Config, parameters: list[nn.Parameter]) -> optim.Optimizer:
    """Makes the optimizer of the steps."""
    from torch import optim

    return optim.SGD(parameters, lr=config.lr, fused=True)


def averages(config: Config, progress: float, values: Sequence[float]) -> bool:
    """Whether a step counts in the average; once true it stays so."""
    if progress >= config.start:
        return True
    best, stale = float("-inf"), 0
    for value in values:
        best, stale = (value, 0) if value > best else (best, stale + 1)
        if stale == config.patience:
            return True
    return False
