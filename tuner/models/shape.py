"""What a network is told besides its own configuration; imports no torch."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from math import prod

from tuner.part import Config


class SettingsRefused(ValueError):
    """Settings, each valid by itself, of which no network of a shape can be made."""

    def __init__(self, rule: str, *, got: str, fix: str) -> None:
        self.rule, self.got, self.fix = rule, got, fix
        super().__init__(f"{rule}, got {got}. {fix}")


@dataclass(frozen=True, kw_only=True)
class Side:
    """The second input, which stands beside each sequence as a whole: side_BX, float32."""

    numbers: int = 0
    """Of the sequence, constant over its steps."""
    picture: tuple[int, int, int] | None = None
    """Height, width and channels of its picture, whose pixels follow the numbers row by row."""

    @property
    def size(self) -> int:
        """X, all of them together."""
        return self.numbers + (prod(self.picture) if self.picture else 0)


@dataclass(frozen=True)
class Shape:
    """What comes in and what goes out, as the data and the task ask for it.

    A batch is x_BTF float32 where numbers are read, or x_BTK int64 where tokens are: at each step
    the token's id, then, with `characters`, those of its characters.

    Raises:
        ValueError: numbers that contradict one another.
    """

    inputs: int
    """Numeric features per step; 0 where tokens are read."""
    outputs: int
    """Numbers per sequence, or per step."""
    _: KW_ONLY
    per_step: bool = False
    """The head is applied at every step, y_BTO, and nothing is pooled; otherwise y_BO."""
    vocabulary: int = 0
    """Ids of tokens: 0 is padding, 1 unknown, then the known ones; 0 where numbers are read."""
    characters: int = 0
    """Ids of characters likewise; 0 without characters."""
    carries: bool = False
    """(x, lengths_B, state) → (y, state): a batch goes on where the one before ended. `None` starts
    afresh. The state is that after the last of the T steps: what goes on must not be padded."""
    stride: int = 1
    """Input steps for each step that has an output: of T, ⌈T / stride⌉ have one."""
    looks_back: bool = False
    """No step's output may follow from later steps; what carries or follows looks back anyway."""
    following: bool = False
    """(x, lengths_B) → y_BO of what follows the last step. In training what such scores are made of
    at every step, (h_BTJ, items_OJ, bias_O), so that a loss need not look at all outputs: each is
    the product of a step's vector and an output's, and a bias."""
    crf: bool = False
    """(x, lengths_B) → (y_BTO, transitions): scores from tag to tag, rows 0 to O-1, from the start,
    row O, and to the end, row O+1; (O+2, O)."""
    picture: tuple[int, int, int] | None = None
    """Height, width and channels of pictures: their rows are the steps, of width times channels
    inputs; None where steps are what they are."""
    frame: tuple[int, int, int] | None = None
    """Height, width and channels of frames, of which each step holds one, or some side by side."""
    decodes: bool = False
    """(x, lengths_B, targets_BU) → logits_MO of the tokens of all targets, in training, or scores
    and texts; see `EncoderDecoder`. The outputs are the ids of its tokens."""
    side: Side | None = None
    """(x, lengths_B, side_BX=…) → y: a second input beside each sequence; None without one."""
    pace: float = 0.0
    """(x, lengths_B, frames_BUM) → y_BUO of each frame that a decoder gives, and what it gives
    freely; see `Synthesizer`. The outputs are the bands of a frame and whether it is the last.
    Steps that training data have per frame; 0 where no frames are given."""

    @property
    def causal(self) -> bool:
        """Whether no step's output may follow from later steps."""
        return self.carries or self.following or self.looks_back

    @property
    def is_two_parts(self) -> bool:
        """Whether a decoder gives what an encoder has read for it."""
        return self.decodes or self.pace > 0

    @property
    def pooled(self) -> bool:
        """Whether all steps become one before the head reads them."""
        return not (self.per_step or self.following)

    def __post_init__(self) -> None:
        if self.outputs < 1 or max(self.inputs, self.vocabulary) < 1:
            raise ValueError(f"a network needs inputs and outputs of at least 1; got {self}")
        if self.inputs and self.vocabulary:
            raise ValueError(f"a network reads either numbers or tokens; got {self}")
        if self.characters and not self.vocabulary:
            raise ValueError(f"characters belong to tokens, which need a vocabulary; got {self}")
        if self.stride < 1 or (self.stride > 1 and (self.carries or not self.per_step)):
            raise ValueError(f"a stride thins the steps of outputs that carry nothing; got {self}")
        if self.following and (self.carries or self.per_step):
            raise ValueError(f"what follows a sequence is no output per step; got {self}")
        if self.crf and (self.carries or not self.per_step):
            raise ValueError(f"transitions need outputs per step that carry nothing; got {self}")
        if self.picture and (self.per_step or self.inputs != self.picture[1] * self.picture[2]):
            raise ValueError(f"a picture is read as a whole, in rows of its pixels; got {self}")
        if self.frame and (self.picture or self.inputs % prod(self.frame)):
            raise ValueError(f"a step of frames is read as whole frames; got {self}")
        if self.side and (
            self.side.size < 1 or self.carries or self.following or self.is_two_parts
        ):
            raise ValueError(f"a second input stands beside sequences read as wholes; got {self}")
        if self.is_two_parts and (self.carries or self.per_step):
            raise ValueError(f"a decoder has steps of its own and carries nothing; got {self}")


def strided(stride: int, size: int) -> list[tuple[int, int]]:
    """Stride and kernel of each layer that thins steps: one for each prime factor, 4 is twice 2.

    Args:
        stride: of all layers together.
        size: steps of a kernel, odd; a longer stride takes a longer one, which skips nothing.
    """
    found, factor = [], 2
    while stride > 1:
        if stride % factor:
            factor += 1
            continue
        found.append((factor, max(size, factor | 1)))
        stride //= factor
    return found


@dataclass(frozen=True, kw_only=True)
class Dropouts:
    """What is dropped in training, as shares in [0, 1), and how."""

    dropout: float = 0.0
    """Between layers and before the head (Zaremba et al., 2014)."""
    input_dropout: float = 0.0
    """Of what the first layer reads, feature by feature and step by step."""
    embedding_dropout: float = 0.0
    """Of tokens, wherever they stand in the batch (Gal and Ghahramani, 2016)."""
    layer_dropout: float | None = None
    """Between layers; None: `dropout`."""
    output_dropout: float | None = None
    """Before the head; None: `dropout`."""
    recurrent_dropout: float = 0.0
    """Of hidden-to-hidden weights (Merity et al., 2018)."""
    locked: bool = False
    """Inputs, layers and outputs have one mask for all steps of a sequence."""
    scheduled_sampling: float = 0.0
    """Share of a decoder's tokens, at the end of training, that it reads from itself."""

    @property
    def between_layers(self) -> float:
        """What holds between layers."""
        return self.dropout if self.layer_dropout is None else self.layer_dropout

    @property
    def before_head(self) -> float:
        """What holds before the head."""
        return self.dropout if self.output_dropout is None else self.output_dropout


class ArchitectureConfig(Config):
    """What every architecture's configuration has: the name that finds its code."""

    name: str
    """A shipped architecture, or `package.module:ClassName` of one's own."""
