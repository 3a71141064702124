"""Every feature of a row larger or smaller (Um et al. 2017)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from tuner.part import Config as PartConfig

if TYPE_CHECKING:
    from tuner.data.augmentations._chance import Chance
    from tuner.data.augmentations._part import Others
    from tuner.tasks._base import Batch

CHANGES, TOKENS, ORDER = "values", frozenset({False}), 1


class Config(PartConfig):
    """Section `augmentation/`, field `scale`."""

    strength: float = Field(default=0.0, ge=0, le=10)
    """Deviation of the normal factor, of mean 1, that each feature of a row is multiplied by; 0 is
    off."""


def apply(batch: Batch, strength: float, chance: Chance, others: Others) -> Batch:
    """Multiplies each feature by a factor of the row's own."""
    factor_B1F = 1 + strength * chance.normal(batch.inputs.shape[2]).unsqueeze(1)
    return replace(batch, inputs=batch.inputs * factor_B1F)
