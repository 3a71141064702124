"""Tokens made unknown, so that a model does not hang on single words."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from tuner.part import Config as PartConfig

if TYPE_CHECKING:
    from tuner.data.augmentations._chance import Chance
    from tuner.data.augmentations._part import Others
    from tuner.tasks._base import Batch

CHANGES, TOKENS, ORDER = "values", frozenset({True}), 1

_UNKNOWN = 1


class Config(PartConfig):
    """Section `augmentation/`, field `token_dropout`."""

    strength: float = Field(default=0.0, ge=0, lt=1)
    """Share of tokens that the unknown one stands in for; 0 is off."""


def apply(batch: Batch, strength: float, chance: Chance, others: Others) -> Batch:
    """Replaces x_BTK[..., 0]; what else a step holds, such as its characters, stays."""
    from tuner.data.augmentations._steps import valid

    num_steps = batch.inputs.shape[1]
    gone_BT = (chance.uniform(num_steps) < strength) & valid(batch.lengths, num_steps)[:, :, 0]
    x_BTK = batch.inputs.clone()
    x_BTK[:, :, 0].masked_fill_(gone_BT, _UNKNOWN)
    return replace(batch, inputs=x_BTK)
