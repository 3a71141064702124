"""AdamW: Adam with decoupled decay on by default (Loshchilov and Hutter, 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tuner.training.optimizers._base import Betas

if TYPE_CHECKING:
    from torch import nn, optim


class Config(Betas):
    """Adam with decay."""

    name: Literal["adamw"] = "adamw"
    weight_decay: float = Field(default=0.01, ge=0)
    """Share of a weight, per unit of learning rate, that each step takes away (decoupled)."""


def build(config: Config, parameters: list[nn.Parameter]) -> optim.Optimizer:
    """Makes the optimizer; the loop does the decay, as for every optimizer."""
    from torch import optim

    return optim.Adam(parameters, lr=config.lr, betas=(config.beta1, config.beta2), fused=True)
