"""Noise on every value (Um et al. 2017)."""

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
    """Section `augmentation/`, field `jitter`."""

    strength: float = Field(default=0.0, ge=0, le=10)
    """Deviation of normal noise that is added to every value, in units of the scaled inputs; 0 is
    off."""


def apply(batch: Batch, strength: float, chance: Chance, others: Others) -> Batch:
    """Adds noise."""
    from tuner.data.augmentations._steps import valid

    _, num_steps, num_features = batch.inputs.shape
    noise_BTF = strength * chance.normal(num_steps, num_features)
    return replace(batch, inputs=batch.inputs + noise_BTF * valid(batch.lengths, num_steps))
