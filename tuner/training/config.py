"""Section `training/` of a trial: the budget and the loop."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tuner.part import Config


class TrainingConfig(Config):
    """How long, in which batches, and when to stop early."""

    epochs: int = Field(default=30, ge=1, le=100_000)
    """The full budget in passes over the training rows; a schedule's horizon, whatever the rung."""
    batch_size: int = Field(default=32, ge=1)
    """Rows per optimizer step over all ranks together; each rank takes its share."""
    epoch_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the training rows that one epoch visits, such as 0.25; the next epochs go on with
    the rest. Scores, rungs and checkpoints then come more often than once in a pass."""
    batch_tokens: int = Field(default=0, ge=0)
    """Largest number of steps in a batch, padding included, in place of `batch_size`: as many rows
    as fit, at least one; 0 is off. A batch of long sequences then costs as much as one of short."""
    accumulate: int = Field(default=1, ge=1)
    """Pieces in which each rank trains its share of a batch, adding their gradients: the same
    steps in less memory. Only batch norm sees a piece at a time, and trains otherwise."""
    bptt: int = Field(default=0, ge=0)
    """Steps after which the gradient through time is cut, in each direction, while the hidden state
    goes on (truncated back-propagation; Williams and Peng, 1990); 0 cuts none."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """What the forward pass of training computes with, by autocast; float16 for GPUs alone. Losses
    and validation are float32 always."""
    ema: float = Field(default=0.0, ge=0, lt=1)
    """Decay by the step of the mean of the weights that is validated and kept in their place; 0 is
    off, 0.99 remembers some hundred steps."""
    bucket: int = Field(default=8, ge=0)
    """Batches whose rows are sorted by length together, so that a batch holds little padding;
    0 sorts none. Which rows meet in a batch stays random within such a bucket."""
    clip_norm: float = Field(default=0.0, ge=0)
    """Largest 2-norm of the whole gradient, after reduction over the ranks; 0 is off."""
    clip_value: float = Field(default=0.0, ge=0)
    """Largest absolute value of one gradient entry, after reduction; 0 is off."""
    patience: int = Field(default=0, ge=0)
    """Epochs without a better validation value before the trial stops by itself; 0 is off."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seeds initial weights, order of rows and dropout masks."""
