"""A stack of recurrent layers over numbers or tokens, a pooling over time and a linear head."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from tuner import registry
from tuner.models import decoder_size, fusion_size, picture_size
from tuner.models.shape import ArchitectureConfig, Dropouts, SettingsRefused, Shape, strided

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
    residual: bool = False
    """From the second layer on, what a layer reads is added to what it gives."""
    initial_state: Literal["zero", "learned", "conditioned"] = "zero"
    """What every sequence starts from, layer by layer and direction by direction: zeros, numbers
    that are learned, or a tanh of a linear map of the second input, where there is one."""
    fusion: fusion_size.How = "late"
    """How a second input (`data/static`, a picture beside a sequence) joins the sequence, where
    there is one: late, by a layer over the sequence's vector, or each step's, and what is said
    beside it; early, at each step that the first layer reads; or gated, by shares that are learned
    (Arevalo et al., 2017)."""
    convolution: int = Field(default=0, ge=0, le=63)
    """Steps of a convolution in front of the layers, an odd number; 0 is none, or 3 where a stride
    asks for one."""
    convolution_filters: int = Field(default=64, ge=1)
    """Features per step that it gives, or that the layers of `picture_layers` do, and numbers that
    these make of a picture beside a sequence."""
    picture_layers: int = Field(default=3, ge=1, le=6)
    """Convolutions of 3 by 3 pixels, each of which halves height and width, where pictures or
    frames are read; the layers read what is left of a picture row by row, of a frame at once."""
    attention_layer: bool = False
    """Multi-head self-attention over the steps on top of the layers, added to what they give."""
    heads: int = Field(default=4, ge=1)
    """Of `attention_layer` and of the pooling `multihead_attention`."""
    embedding: int = Field(default=64, ge=1)
    """Units of a token's vector; of no effect where numbers are read, as are the next two."""
    character_filters: int = Field(default=30, ge=1)
    """Units of what a token's characters add, where they are read (Ma and Hovy, 2016)."""
    tied: bool = False
    """The weights of the output are the tokens' vectors (Press and Wolf, 2017)."""
    crf: bool = False
    """Scores tags that follow one another (Lafferty et al., 2001), where each step has one."""
    attention: decoder_size.Looking = "additive"
    """How a decoder looks back at the steps, where there is one: as Bahdanau et al. (2015), or by a
    matrix or a plain product as Luong et al. (2015), which train faster. Its cells, layers and
    units are as many as the encoder's, and `pooling` says what it starts from."""

    frames_per_step: int = Field(default=2, ge=1, le=16)
    """Frames that a decoder of frames gives at each step, the reduction factor of Wang et al.
    (2017); of no effect elsewhere, as is the next one."""
    frame_dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of what it reads of its last frame that training drops, in each of two layers."""

    parameters: int | None = Field(default=None, ge=1)
    """Of the whole network: solves `hidden_size`, which is then left out, within 2 %."""

    @field_validator("convolution")
    @classmethod
    def _is_odd(cls, size: int) -> int:
        if size and size % 2 == 0:
            raise ValueError("must be odd, so that it has a middle, or 0")
        return size

    @field_validator("parameters")
    @classmethod
    def _stands_alone(cls, parameters: int | None, info: ValidationInfo) -> int | None:
        default = cls.model_fields["hidden_size"].default
        width = info.data.get("hidden_size", default)
        if parameters is not None and width != default:
            raise ValueError(
                f"must be left out, or `model/hidden_size` at its default of {default}, which it "
                f"then replaces; that is {width}"
            )
        return parameters

    @property
    def joined_size(self) -> int:
        """Units of a step once its directions are joined."""
        return self.hidden_size * (self.directions if self.join == "concat" else 1)


Config = RecurrentConfig

_WIDEST = 2**16
_WITHIN = 0.02
"""How far the parameters of the solved width may be from those asked for, relatively."""


def build(config: RecurrentConfig, dropouts: Dropouts, shape: Shape) -> nn.Module:
    """The network with torch's own initial weights: (x, lengths_B) → y, as `Shape` says.

    Raises:
        SettingsRefused: this shape does not take them, or no width has so many parameters.
    """
    from torch import nn

    from tuner.models.attention import SelfAttention
    from tuner.models.convolution import Convolution
    from tuner.models.decoder import Decoder
    from tuner.models.encoder import Encoder
    from tuner.models.encoder_decoder import EncoderDecoder
    from tuner.models.frame_decoder import FrameDecoder
    from tuner.models.frames import Frames
    from tuner.models.head import TiedHead
    from tuner.models.inputs import Characters, Tokens, Values
    from tuner.models.network import Network
    from tuner.models.pictures import Pictures
    from tuner.models.side import SideInput
    from tuner.models.subsampling import Subsampling
    from tuner.models.synthesizer import Synthesizer

    _check(config, shape)
    config = solved(config, shape)
    shape = _with_transitions(config, shape)
    inputs: Values | Tokens | Frames
    if shape.vocabulary:
        filters = config.character_filters
        characters = Characters(shape.characters, filters) if shape.characters else None
        dropout = dropouts.embedding_dropout
        inputs = Tokens(shape.vocabulary, config.embedding, characters, dropout)
    elif shape.frame:
        inputs = Frames(shape.frame, config.picture_layers, config.convolution_filters)
    else:
        inputs = Values()
    read = _read_size(config, shape)
    pictures = None
    if shape.picture:
        pictures = Pictures(shape.picture, config.picture_layers, config.convolution_filters)
    subsampling = convolution = None
    if shape.stride > 1:
        filters, size = config.convolution_filters, _kernel(config)
        subsampling = Subsampling(read, filters, shape.stride, size)
        read = filters
    elif config.convolution:
        filters, size = config.convolution_filters, config.convolution
        convolution = Convolution(read, filters, size, causal=shape.causal)
        read = filters
    said = fusion_size.said(config, shape.side) if shape.side else 0
    read += said if config.fusion == "early" else 0
    encoder = Encoder(config, dropouts, inputs=read, side=said)
    over_time = (config.directions, config.hidden_size, config.heads)
    attention = SelfAttention(*over_time) if config.attention_layer else None
    pooling = None
    if shape.pooled:
        pooling = registry.get("poolings", config.pooling).build(*over_time)
    if shape.is_two_parts:
        assert pooling is not None
        sizes = {"read": config.joined_size, "pooled": _pooled_size(config, shape)}
        decoder: Decoder | FrameDecoder
        if shape.decodes:
            decoder = Decoder(config, dropouts, vocabulary=shape.outputs, **sizes)
        else:
            bands = shape.outputs - 1
            decoder = FrameDecoder(config, dropouts, bands=bands, pace=shape.pace, **sizes)
        whole = EncoderDecoder if shape.decodes else Synthesizer
        return whole(
            inputs,
            convolution,
            encoder,
            attention,
            pooling,
            decoder,
            dropouts=dropouts,
            pictures=pictures,
        )
    head: nn.Linear | TiedHead
    if _is_tied(config, shape):
        head = TiedHead(config.joined_size, config.embedding, shape.outputs)
    else:
        head = nn.Linear(_head_size(config, shape), shape.outputs)
    side = None
    if shape.side:
        side = SideInput(shape.side, config, sequence=_pooled_size(config, shape))
    return Network(
        inputs,
        subsampling,
        convolution,
        encoder,
        attention,
        pooling,
        head,
        dropouts=dropouts,
        shape=shape,
        pictures=pictures,
        side=side,
    )


def gates(config: RecurrentConfig) -> tuple[str, ...]:
    """The cell's gates in the order of their rows."""
    names: tuple[str, ...] = registry.get("cells", config.cell).GATES
    return names


def num_parameters(config: RecurrentConfig, shape: Shape) -> int:
    """Of what `build` gives, without torch, which the driver of a sweep does without.

    Raises:
        SettingsRefused: this shape does not take them, or no width has so many parameters.
    """
    _check(config, shape)
    return _count(solved(config, shape), shape)


def solved(config: RecurrentConfig, shape: Shape) -> RecurrentConfig:
    """The configuration with the width that comes closest to its `parameters`, if it has any.

    Raises:
        SettingsRefused: none comes within 2 %.
    """
    wanted = config.parameters
    if wanted is None:
        return config

    def with_width(width: int) -> RecurrentConfig:
        return config.model_copy(update={"hidden_size": width, "parameters": None})

    def count(width: int) -> int:
        return _count(with_width(width), shape)

    # The count grows with the width, but for the one as wide as a tied embedding, whose head needs
    # no projection.
    per_unit = with_width(1).joined_size
    is_apart = _is_tied(config, shape) and config.embedding % per_unit == 0
    apart = config.embedding // per_unit if is_apart else 1
    widths = [range(1, apart), range(apart, apart + 1), range(apart + 1, _WIDEST)]
    found: list[int] = []
    for some in widths:
        place = bisect_left(some, wanted, key=count)
        found += some[max(place - 1, 0) : place + 1]
    nearest = min(found, key=lambda width: abs(count(width) - wanted))
    if abs(count(nearest) - wanted) > _WITHIN * wanted:
        raise SettingsRefused(
            f"`model/parameters` must be within {_WITHIN:.0%} of what some width gives",
            got=str(wanted),
            fix=f"A width of {nearest} gives {count(nearest)}, the smallest, 1, gives {count(1)}.",
        )
    return with_width(nearest)


def _count(config: RecurrentConfig, shape: Shape) -> int:
    width, directions = config.hidden_size, config.directions
    over_time = (directions, width, config.heads)
    total, read = _tokens(config, shape), _read_size(config, shape)
    if pixels := shape.picture or shape.frame:
        layers, filters = config.picture_layers, config.convolution_filters
        total += picture_size.num_parameters(pixels[2], layers, filters)
    if shape.stride > 1:
        filters = config.convolution_filters
        for _, size in strided(shape.stride, _kernel(config)):
            total += (size * read + 1) * filters
            read = filters
    elif config.convolution:
        total += (config.convolution * read + 1) * config.convolution_filters
        read = config.convolution_filters
    said = 0
    if shape.side:
        said = fusion_size.said(config, shape.side)
        total += fusion_size.num_parameters(config, shape.side, _pooled_size(config, shape))
        read += said if config.fusion == "early" else 0
    cell = registry.get("cells", config.cell)
    for inputs in [read, *[config.joined_size] * (config.layers - 1)]:
        total += directions * cell.num_parameters(inputs, width)
    units = directions * config.layers * width
    total += 2 * units if config.norm != "none" else 0
    each_unit = {"zero": 0, "learned": 1, "conditioned": said + 1}[config.initial_state]
    total += len(cell.STATE) * units * each_unit
    if config.attention_layer:
        total += registry.get("poolings", "multihead_attention").num_parameters(*over_time)
    if shape.pooled:
        total += registry.get("poolings", config.pooling).num_parameters(*over_time)
    if _with_transitions(config, shape).crf:
        total += (shape.outputs + 2) * shape.outputs
    if shape.is_two_parts:
        texts, frames = decoder_size.num_parameters, decoder_size.num_frame_parameters
        count = texts if shape.decodes else frames
        return total + count(config, shape.outputs, _pooled_size(config, shape))
    return total + _head(config, shape)


def _tokens(config: RecurrentConfig, shape: Shape) -> int:
    filters = config.character_filters
    # A kernel spans three characters and has a bias.
    characters = (shape.characters + 3 * filters + 1) * filters if shape.characters else 0
    return shape.vocabulary * config.embedding + characters


def _head(config: RecurrentConfig, shape: Shape) -> int:
    joined, units = config.joined_size, config.embedding
    if not _is_tied(config, shape):
        return (_head_size(config, shape) + 1) * shape.outputs
    return shape.outputs + (joined * units if joined != units else 0)


def _read_size(config: RecurrentConfig, shape: Shape) -> int:
    """Features per step as they are read."""
    if shape.picture:
        return config.convolution_filters
    if shape.frame:
        patches = prod(picture_size.reduced(n, config.picture_layers) for n in shape.frame[:2])
        return shape.inputs // prod(shape.frame) * patches * config.convolution_filters
    if not shape.vocabulary:
        return shape.inputs
    return config.embedding + (config.character_filters if shape.characters else 0)


def _kernel(config: RecurrentConfig) -> int:
    """Steps of a strided convolution's kernel."""
    return config.convolution or 3


def _head_size(config: RecurrentConfig, shape: Shape) -> int:
    """Units that the head reads."""
    return fusion_size.fused(config, shape.side, _pooled_size(config, shape))


def _pooled_size(config: RecurrentConfig, shape: Shape) -> int:
    """Units of a step, or of all that a pooling makes of the steps."""
    if not shape.pooled:
        return config.joined_size
    vectors: int = getattr(registry.get("poolings", config.pooling), "VECTORS", 1)
    return vectors * config.joined_size


def _is_tied(config: RecurrentConfig, shape: Shape) -> bool:
    return config.tied and shape.vocabulary > 0 and not shape.is_two_parts


def _with_transitions(config: RecurrentConfig, shape: Shape) -> Shape:
    """The shape with a CRF, if the configuration asks for one and its outputs are tags."""
    crf = config.crf and shape.per_step and not shape.carries
    return replace(shape, crf=True) if crf else shape


def _check(config: RecurrentConfig, shape: Shape) -> None:
    if shape.causal and config.directions != 1:
        raise SettingsRefused(
            "what predicts what it reads must read in one direction: `model/directions` must be 1",
            got=str(config.directions),
            fix="Set it to 1.",
        )
    if shape.causal and config.attention_layer:
        raise SettingsRefused(
            "what predicts what it reads must not see later steps: `model/attention_layer` must be "
            "false",
            got="true",
            fix="Leave it out.",
        )
    if shape.side is None:
        if config.fusion != "late":
            raise _without_side("fusion", config.fusion)
        if config.initial_state == "conditioned":
            raise _without_side("initial_state", config.initial_state)
    if _is_tied(config, shape) and (shape.pooled or shape.outputs != shape.vocabulary):
        raise SettingsRefused(
            "tied weights need an output for each token at each step: `model/tied` must be false "
            "here",
            got="true",
            fix="Leave it out.",
        )


def _without_side(field: str, value: str) -> SettingsRefused:
    return SettingsRefused(
        f"`model/{field}: {value}` must come with a second input beside each sequence",
        got="a sequence alone",
        fix="Leave it out, or name such as `data/static`.",
    )
