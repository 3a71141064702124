"""Plain stochastic gradient descent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tuner.training.optimizers._base import OptimizerConfig

if TYPE_CHECKING:
    from torch import nn, optim


class Config(OptimizerConfig):
    """SGD without a memory."""

    name: Literal["sgd"] = "sgd"
    lr: float = Field(default=1.0, gt=0)
    """Peak learning rate; the schedule multiplies it."""


def build(config: Config, parameters: list[nn.Parameter]) -> optim.Optimizer:
    """Makes the optimizer."""
    from torch import optim

    return optim.SGD(parameters, lr=config.lr, fused=True)
