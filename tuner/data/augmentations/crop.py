"""A part of each sequence, without steps at either end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tuner.part import Config as PartConfig

if TYPE_CHECKING:
    from tuner.data.augmentations._chance import Chance
    from tuner.data.augmentations._part import Others
    from tuner.tasks._base import Batch

CHANGES, TOKENS, ORDER = "steps", frozenset({False, True}), 0


class Config(PartConfig):
    """Section `augmentation/`, field `crop`."""

    strength: float = Field(default=0.0, ge=0, lt=1)
    """Largest share of a sequence's steps that is cut off; how much, and how much of it at which
    end, is chance. 0 is off."""


def apply(batch: Batch, strength: float, chance: Chance, others: Others) -> Batch:
    """Cuts steps off; at least one stays."""
    import torch

    from tuner.data.augmentations._steps import of_length, taken, valid

    share_B, place_B = chance.uniform(2).unbind(1)
    # As often none as any other number of steps.
    most_B = (strength * batch.lengths).floor()
    cut_B = (share_B * (most_B + 1)).long().minimum((batch.lengths - 1).clamp_min(0))
    begin_B = (place_B * (cut_B + 1)).long()
    lengths_B = batch.lengths - cut_B
    num_steps = batch.inputs.shape[1]
    steps_BT = begin_B[:, None] + torch.arange(num_steps, device=cut_B.device)
    x_BTF = taken(batch.inputs, steps_BT.clamp_max(num_steps - 1))
    return of_length(batch, x_BTF * valid(lengths_B, num_steps), lengths_B)
