"""Sequences whose time goes faster here and slower there (Um et al. 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tuner.part import Config as PartConfig

if TYPE_CHECKING:
    from tuner.data.augmentations._chance import Chance
    from tuner.data.augmentations._part import Others
    from tuner.tasks._base import Batch

CHANGES, TOKENS, ORDER = "steps", frozenset({False}), 0

_KNOTS = 6


class Config(PartConfig):
    """Section `augmentation/`, field `time_warp`."""

    strength: float = Field(default=0.0, ge=0, le=2)
    """Deviation of the logarithm of speed, drawn at six knots of a sequence; 0 is off."""


def apply(batch: Batch, strength: float, chance: Chance, others: Others) -> Batch:
    """Reads every row at warped moments; first and last step and the length stay."""
    import torch

    from tuner.data.augmentations._steps import of_length, read

    speed_BK = torch.exp(strength * chance.normal(_KNOTS))
    last_B1 = (batch.lengths - 1).clamp_min(0)[:, None]
    num_steps = batch.inputs.shape[1]
    steps_T = torch.arange(num_steps, device=speed_BK.device)
    place_BT = (steps_T / last_B1.clamp_min(1)).clamp_max(1) * (_KNOTS - 1)
    knot_BT = place_BT.floor().long().clamp_max(_KNOTS - 2)
    share_BT = place_BT - knot_BT
    # Time is what speed adds up to: a trapezoid from knot to knot.
    way_BK = torch.cumsum((speed_BK[:, 1:] + speed_BK[:, :-1]) / 2, dim=1)
    start_BK = torch.cat([torch.zeros_like(way_BK[:, :1]), way_BK], dim=1)
    slow_BT, fast_BT = speed_BK.gather(1, knot_BT), speed_BK.gather(1, knot_BT + 1)
    way_BT = start_BK.gather(1, knot_BT)
    way_BT = way_BT + share_BT * slow_BT + share_BT**2 * (fast_BT - slow_BT) / 2
    moments_BT = (way_BT / way_BK[:, -1:] * last_B1).minimum(last_B1)
    return of_length(batch, read(batch.inputs, moments_BT, batch.lengths), batch.lengths)
