"""How large the parts are that read a second input and join it to a sequence, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tuner.models import picture_size
from tuner.models.shape import Side

if TYPE_CHECKING:
    from tuner.models.architectures.recurrent import RecurrentConfig

How = Literal["late", "early", "gated"]


def said(config: RecurrentConfig, side: Side) -> int:
    """Numbers that a network makes of the second input."""
    return side.numbers + (config.convolution_filters if side.picture else 0)


def fused(config: RecurrentConfig, side: Side | None, pooled: int) -> int:
    """Units that the head reads where it would read `pooled` of a sequence alone."""
    return pooled if side is None or config.fusion == "early" else config.joined_size


def num_parameters(config: RecurrentConfig, side: Side, pooled: int) -> int:
    """What `SideInput` allocates."""
    total, beside, units = 0, said(config, side), config.joined_size
    if side.picture:
        layers, filters = config.picture_layers, config.convolution_filters
        total += picture_size.num_parameters(side.picture[2], layers, filters)
    # A matrix over both, and for a gate one over each as well; each has a bias.
    if config.fusion != "early":
        total += (pooled + beside + 1) * units
    if config.fusion == "gated":
        total += (pooled + beside + 2) * units
    return total
