"""What every optimizer's settings share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tuner.part import Config

_BATCH_SIZE = 32
"""The default of `training/batch_size`, for which rates that scale are meant."""


class OptimizerConfig(Config):
    """Learning rate and decay."""

    lr: float = Field(default=1e-3, gt=0)
    """Peak learning rate; the schedule multiplies it."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Share of a weight, per unit of learning rate, that each step takes away (decoupled)."""
    lr_scaling: Literal["none", "sqrt", "linear"] = "none"
    """`sqrt` and `linear` mean `optimizer/lr` at batches of 32 rows, and multiply it by that power
    of `training/batch_size` / 32: linear for SGD (Krizhevsky, 2014; Goyal et al., 2017), the root
    for Adam and RMSprop (Malladi et al., 2022)."""

    def rate(self, batch_size: int) -> float:
        """The peak learning rate for batches of some size."""
        power = {"none": 0.0, "sqrt": 0.5, "linear": 1.0}[self.lr_scaling]
        scaled: float = self.lr * (batch_size / _BATCH_SIZE) ** power
        return scaled


class Betas(OptimizerConfig):
    """Adam's two memories."""

    lr: float = Field(default=2e-3, gt=0)
    """Peak learning rate; the schedule multiplies it."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Decay of the gradient's running mean."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Decay of the squared gradient's running mean."""
