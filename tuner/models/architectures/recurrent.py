"""A stack of recurrent layers over numbers or tokens, a pooling over time and a linear head."""

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
    embedding: int = Field(default=64, ge=1)
    """Units of a token's vector; of no effect where numbers are read, as are the next two."""
    character_filters: int = Field(default=30, ge=1)
    """Units of what a token's characters add, where they are read (Ma and Hovy, 2016)."""
    tied: bool = False
    """The weights of the output are the tokens' vectors (Press and Wolf, 2017)."""

    @property
    def joined_size(self) -> int:
        """Units of a step once its directions are joined."""
        return self.hidden_size * (self.directions if self.join == "concat" else 1)


Config = RecurrentConfig


def build(config: RecurrentConfig, dropouts: Dropouts, shape: Shape) -> nn.Module:
    """The network with torch's own initial weights: (x, lengths_B) → y, as `Shape` says.

    Raises:
        ValueError: settings that this shape does not take.
    """
    from torch import nn

    from tuner.models.encoder import Encoder
    from tuner.models.head import TiedHead
    from tuner.models.inputs import Characters, Tokens, Values
    from tuner.models.network import Network

    _check(config, shape)
    inputs: Values | Tokens
    if shape.vocabulary:
        filters = config.character_filters
        characters = Characters(shape.characters, filters) if shape.characters else None
        inputs = Tokens(shape.vocabulary, config.embedding, characters)
    else:
        inputs = Values()
    encoder = Encoder(config, dropouts, inputs=_read_size(config, shape))
    pooling = None
    if not shape.per_step:
        part = registry.get("poolings", config.pooling)
        pooling = part.build(config.directions, config.hidden_size)
    head: nn.Linear | TiedHead
    if _is_tied(config, shape):
        head = TiedHead(config.joined_size, config.embedding, shape.outputs)
    else:
        head = nn.Linear(config.joined_size, shape.outputs)
    return Network(inputs, encoder, pooling, head, dropouts=dropouts, shape=shape)


def gates(config: RecurrentConfig) -> tuple[str, ...]:
    """The cell's gates in the order of their rows."""
    names: tuple[str, ...] = registry.get("cells", config.cell).GATES
    return names


def num_parameters(config: RecurrentConfig, shape: Shape) -> int:
    """Of what `build` gives, without torch, which the driver of a sweep does without.

    Raises:
        ValueError: settings that this shape does not take.
    """
    _check(config, shape)
    width, directions, joined = config.hidden_size, config.directions, config.joined_size
    sizes = [_read_size(config, shape), *[joined] * (config.layers - 1)]
    cell = registry.get("cells", config.cell)
    total: int = sum(cell.num_parameters(size, width) for size in sizes) * directions
    if config.norm != "none":
        total += 2 * width * directions * config.layers
    if not shape.per_step:
        total += registry.get("poolings", config.pooling).num_parameters(directions, width)
    if shape.crf:
        total += (shape.outputs + 2) * shape.outputs
    return total + _tokens(config, shape) + _head(config, shape)


def _tokens(config: RecurrentConfig, shape: Shape) -> int:
    filters = config.character_filters
    # A kernel spans three characters and has a bias.
    characters = (shape.characters + 3 * filters + 1) * filters if shape.characters else 0
    return shape.vocabulary * config.embedding + characters


def _head(config: RecurrentConfig, shape: Shape) -> int:
    joined, units = config.joined_size, config.embedding
    if not _is_tied(config, shape):
        return (joined + 1) * shape.outputs
    return shape.outputs + (joined * units if joined != units else 0)


def _read_size(config: RecurrentConfig, shape: Shape) -> int:
    """Features per step that the first layer reads."""
    if not shape.vocabulary:
        return shape.inputs
    return config.embedding + (config.character_filters if shape.characters else 0)


def _is_tied(config: RecurrentConfig, shape: Shape) -> bool:
    return config.tied and shape.vocabulary > 0


def _check(config: RecurrentConfig, shape: Shape) -> None:
    if shape.carries and config.directions != 1:
        raise ValueError(
            "what predicts what it reads must read in one direction: `model/directions` must be 1, "
            f"got {config.directions}"
        )
    if _is_tied(config, shape) and not (shape.per_step and shape.outputs == shape.vocabulary):
        raise ValueError(
            "tied weights need an output for each token at each step: `model/tied` must be false "
            f"here, got true with {shape}; set it to false"
        )
