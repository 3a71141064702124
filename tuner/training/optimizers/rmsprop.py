"""RMSprop (Tieleman and Hinton, 2012)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tuner.training.optimizers._base import OptimizerConfig

if TYPE_CHECKING:
    from torch import nn, optim


class Config(OptimizerConfig):
    """SGD divided by the running size of the gradient."""

    name: Literal["rmsprop"] = "rmsprop"
    smoothing: float = Field(default=0.99, ge=0, lt=1)
    """Decay of the squared gradient's running mean."""
    momentum: float = Field(default=0.0, ge=0, lt=1)
    """Share of the last step that the next one keeps."""


def build(config: Config, parameters: list[nn.Parameter]) -> optim.Optimizer:
    """Makes the optimizer."""
    from torch import optim

    return optim.RMSprop(
        parameters,
        lr=config.lr,
        alpha=config.smoothing,
        momentum=config.momentum,
        foreach=True,
    )
