"""Rows mixed with others, and their losses in the same shares (Zhang et al. 2018)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from tuner.part import Config as PartConfig

if TYPE_CHECKING:
    from tuner.data.augmentations._chance import Chance
    from tuner.data.augmentations._part import Others
    from tuner.tasks._base import Batch

CHANGES, TOKENS, ORDER = "rows", frozenset({False}), 2


class Config(PartConfig):
    """Section `augmentation/`, field `mixup`."""

    strength: float = Field(default=0.0, ge=0, le=10)
    """Alpha of the beta distribution of the share that a row keeps, or of the rest where that is
    larger: near 0 a row keeps nearly all, at 1 any share above a half is as likely; 0 is off."""


def apply(batch: Batch, strength: float, chance: Chance, others: Others) -> Batch:
    """Mixes each row, its second input too, with another training row, brought to its length."""
    import torch
    from scipy.special import betaincinv

    from tuner.data.augmentations._steps import stretched

    uniform_B = chance.uniform(1)[:, 0].cpu().double().numpy()
    share_B = torch.from_numpy(betaincinv(strength, strength, uniform_B)).float()
    # Of two rows that are mixed either may be called the first: it is the one that keeps more.
    share_B = share_B.maximum(1 - share_B).to(batch.inputs.device)
    other = others()
    num_steps = batch.inputs.shape[1]
    x_BTF = stretched(other.inputs, other.lengths, batch.lengths, num_steps)
    share_B11 = share_B[:, None, None]
    side = None
    if batch.side is not None:
        side = share_B[:, None] * batch.side + (1 - share_B[:, None]) * other.side
    return replace(
        batch,
        side=side,
        inputs=share_B11 * batch.inputs + (1 - share_B11) * x_BTF,
        others=other.targets,
        share=share_B,
    )
