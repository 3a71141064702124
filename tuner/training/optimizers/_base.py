"""What every optimizer's settings share."""

from __future__ import annotations

from pydantic import Field

from tuner.part import Config


class OptimizerConfig(Config):
    """Learning rate and decay."""

    lr: float = Field(default=1e-3, gt=0)
    """Peak learning rate; the schedule multiplies it."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Share of a weight, per unit of learning rate, that each step takes away (decoupled)."""


class Betas(OptimizerConfig):
    """Adam's two memories."""

    lr: float = Field(default=2e-3, gt=0)
    """Peak learning rate; the schedule multiplies it."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Decay of the gradient's running mean."""
    beta2: float = Field(default=0.999, ge=0, lt=1)
    """Decay of the squared gradient's running mean."""
