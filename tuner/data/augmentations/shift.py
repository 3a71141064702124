"""Every sequence earlier or later, its first or last step repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tuner.part import Config as PartConfig

if TYPE_CHECKING:
    from tuner.data.augmentations._chance import Chance
    from tuner.data.augmentations._part import Others
    from tuner.tasks._base import Batch

CHANGES, TOKENS, ORDER = "steps", frozenset({False}), 0


class Config(PartConfig):
    """Section `augmentation/`, field `shift`."""

    strength: float = Field(default=0.0, ge=0, le=1)
    """Largest shift in time, as a share of a sequence's steps; 0 is off."""


def apply(batch: Batch, strength: float, chance: Chance, others: Others) -> Batch:
    """Moves the steps of a row by as many places; its length stays."""
    import torch

    from tuner.data.augmentations._steps import of_length, taken, valid

    most_B = (strength * batch.lengths).floor()
    by_B = ((2 * most_B + 1) * chance.uniform(1)[:, 0]).floor() - most_B
    num_steps = batch.inputs.shape[1]
    steps_BT = torch.arange(num_steps, device=by_B.device) - by_B.long()[:, None]
    last_B1 = (batch.lengths - 1).clamp_min(0)[:, None]
    x_BTF = taken(batch.inputs, steps_BT.clamp_min(0).minimum(last_B1))
    return of_length(batch, x_BTF * valid(batch.lengths, num_steps), batch.lengths)
