"""How large a decoder of texts or frames is, without torch, which a sweep's driver does without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tuner import registry

if TYPE_CHECKING:
    from tuner.models.architectures.recurrent import RecurrentConfig

Looking = Literal["additive", "general", "dot", "none"]
"""Bahdanau, Cho and Bengio (2015); Luong, Pham and Manning (2015), section 3.1."""


def value_size(kind: Looking, read: int, width: int) -> int:
    """Units of what attention finds; 0 without one.

    Args:
        read: units of a step of the encoder.
        width: units of the decoder.
    """
    return {"additive": read, "general": read, "dot": width, "none": 0}[kind]


def num_parameters(config: RecurrentConfig, outputs: int, pooled: int) -> int:
    """What `Decoder` allocates.

    Args:
        outputs: ids of its tokens.
        pooled: units of what its states start from.
    """
    width, units, read = config.hidden_size, config.embedding, config.joined_size
    cell, found = registry.get("cells", config.cell), value_size(config.attention, read, width)
    total = outputs * units + _attention(config.attention, read, width)
    first = units + (found if config.attention == "additive" else 0)
    for inputs in [first, *[width] * (config.layers - 1)]:
        total += cell.num_parameters(inputs, width)
    total += 2 * config.layers * width if config.norm == "layer" else 0
    total += (pooled + 1) * config.layers * len(cell.STATE) * width
    total += (width + found + 1) * width
    if not config.tied:
        return total + (width + 1) * outputs
    return total + outputs + (width * units if width != units else 0)


def _attention(kind: Looking, read: int, width: int) -> int:
    match kind:
        case "additive":
            return read * width + (width + 1) * width + width
        case "general":
            return read * width
        case "dot":
            return read * width if read != width else 0
        case "none":
            return 0


BELLS = 5
"""Of the window of a decoder of frames, as many as Battenberg et al. (2020) have."""


def num_frame_parameters(config: RecurrentConfig, outputs: int, pooled: int) -> int:
    """What `FrameDecoder` allocates.

    Args:
        outputs: bands of a frame, and one.
        pooled: units of what its states start from.
    """
    width, read = config.hidden_size, config.joined_size
    cell = registry.get("cells", config.cell)
    # A frame goes through two layers.
    total = outputs * width + (width + 1) * width
    for inputs in [width + read, *[width] * (config.layers - 1)]:
        total += cell.num_parameters(inputs, width)
    total += 2 * config.layers * width if config.norm == "layer" else 0
    total += (width + 1) * 3 * BELLS
    total += (pooled + 1) * config.layers * len(cell.STATE) * width
    total += (width + read + 1) * width
    return total + (width + 1) * config.frames_per_step * outputs
