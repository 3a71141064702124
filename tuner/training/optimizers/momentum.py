"""SGD with momentum, Nesterov's if asked (Sutskever et al., 2013)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tuner.training.optimizers._base import OptimizerConfig

if TYPE_CHECKING:
    from torch import nn, optim


class Config(OptimizerConfig):
    """SGD with a memory of past steps."""

    name: Literal["momentum"] = "momentum"
    lr: float = Field(default=0.1, gt=0)
    """Peak learning rate; the schedule multiplies it."""
    momentum: float = Field(default=0.9, gt=0, lt=1)
    """Share of the last step that the next one keeps."""
    nesterov: bool = False
    """Whether the gradient is taken ahead of the step."""


def build(config: Config, parameters: list[nn.Parameter]) -> optim.Optimizer:
    """Makes the optimizer."""
    from torch import optim

    return optim.SGD(
        parameters,
        lr=config.lr,
        momentum=config.momentum,
        nesterov=config.nesterov,
        fused=True,
    )
