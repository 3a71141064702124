"""Adam (Kingma and Ba, 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tuner.training.optimizers._base import Betas

if TYPE_CHECKING:
    from torch import nn, optim


class Config(Betas):
    """Adam, without decay unless asked."""

    name: Literal["adam"] = "adam"


def build(config: Config, parameters: list[nn.Parameter]) -> optim.Optimizer:
    """Makes the optimizer."""
    from torch import optim

    return optim.Adam(parameters, lr=config.lr, betas=(config.beta1, config.beta2), fused=True)
