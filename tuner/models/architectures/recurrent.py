"""A stack of recurrent layers, a pooling over time and a linear head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from tuner import registry
from tuner.models.shape import ArchitectureConfig, Dropouts, Shape

if TYPE_CHECKING:
    from torch import nn


def _known(kind: str, name: str) -> str:
    try:
        registry.get(kind, name)
    except registry.UnknownPart as unknown:
        raise ValueError(str(unknown)) from unknown
    return name


class RecurrentConfig(ArchitectureConfig):
    """What the recurrent architecture may vary."""

    name: Literal["recurrent"] = "recurrent"
    cell: Annotated[str, AfterValidator(lambda name: _known("cells", name))] = "lstm"
    """The kind of layer: a file of `tuner/models/cells`, or the import path of one's own."""
    hidden_size: int = Field(default=128, ge=1)
    """Units per layer and direction."""
    layers: int = Field(default=1, ge=1, le=8)
    """Layers on top of one another."""
    directions: Literal[1, 2] = 1
    """2 also reads each sequence backwards."""
    join: Literal["concat", "sum", "mean"] = "concat"
    """How two directions become one; of no effect with one direction."""
    pooling: Annotated[str, AfterValidator(lambda name: _known("poolings", name))] = "last"
    """How the steps become one: a file of `tuner/models/poolings`, or an import path."""
    norm: Literal["none", "layer", "batch"] = "none"
    """Normalisation of each layer's outputs, direction by direction."""


Config = RecurrentConfig


def build(config: RecurrentConfig, dropouts: Dropouts, shape: Shape) -> nn.Module:
    """The network with torch's own initial weights: (x_BTF, lengths_B) → y_BO."""
    from tuner.models.encoder import Encoder
    from tuner.models.network import Network

    encoder = Encoder(
        registry.get("cells", config.cell).build,
        inputs=shape.inputs,
        hidden_size=config.hidden_size,
        layers=config.layers,
        directions=config.directions,
        join=config.join,
        norm=config.norm,
        dropout=dropouts.dropout,
    )
    pooling = registry.get("poolings", config.pooling).build(config.directions, config.hidden_size)
    return Network(
        encoder,
        pooling,
        hidden_size=config.hidden_size,
        directions=config.directions,
        dropouts=dropouts,
        shape=shape,
    )


def gates(config: RecurrentConfig) -> tuple[str, ...]:
    """The cell's gates in the order of their rows."""
    names: tuple[str, ...] = registry.get("cells", config.cell).GATES
    return names


def num_parameters(config: RecurrentConfig, shape: Shape) -> int:
    """Weights of the layers and the head; norms and an attention are left out."""
    width, directions = config.hidden_size, config.directions
    joined = width * (directions if config.join == "concat" else 1)
    inputs = [shape.inputs, *[joined] * (config.layers - 1)]
    # torch has two biases for each gate.
    cells = sum(len(gates(config)) * width * (i + width + 2) * directions for i in inputs)
    return cells + (joined + 1) * shape.outputs
