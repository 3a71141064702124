"""What networks of two parts share: an encoder reads a sequence, a decoder gives step by step what
it stands for, looking back at it.

B sequences   T steps   N rows of a search
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from tuner.models.attention import SelfAttention
from tuner.models.convolution import Convolution
from tuner.models.decoder import Decoder
from tuner.models.dropout import drop
from tuner.models.encoder import Encoder, join
from tuner.models.frame_decoder import FrameDecoder
from tuner.models.frames import Frames
from tuner.models.inputs import Tokens, Values
from tuner.models.pictures import Pictures
from tuner.models.shape import Dropouts
from tuner.models.steps import Steps


@dataclass(frozen=True)
class Encoded:
    """What a decoder knows of some sequences."""

    kept: list[Tensor]
    """Of each step, BT…; see `Memory`."""
    seen_BT: Tensor
    state: list[Tensor]
    """1BH each."""

    def of(self, rows_N: Tensor) -> Encoded:
        """The same of some rows, in their order."""
        return Encoded(
            [part.index_select(0, rows_N) for part in self.kept],
            self.seen_BT.index_select(0, rows_N),
            [part.index_select(1, rows_N) for part in self.state],
        )


class TwoParts(nn.Module):
    """The encoder, and what hands over to the decoder; what it says, the subclasses know."""

    def __init__(
        self,
        inputs: Values | Tokens | Frames,
        convolution: Convolution | None,
        encoder: Encoder,
        attention: SelfAttention | None,
        pooling: nn.Module,
        decoder: Decoder | FrameDecoder,
        *,
        dropouts: Dropouts,
        pictures: Pictures | None = None,
    ) -> None:
        super().__init__()
        self.pictures = pictures
        self.inputs = inputs
        self.convolution = convolution
        self.encoder = encoder
        self.attention = attention
        self.pooling = pooling
        self.decoder = decoder
        self.dropouts = dropouts

    @property
    def fixed_steps(self) -> int:
        """Of every input, where pictures are read; 0 where any number is."""
        return 0 if self.pictures is None else self.pictures.picture[0]

    def encode(self, x: Tensor, lengths_B: Tensor) -> Encoded:
        """Reads the sequences."""
        if self.pictures is not None:
            x, lengths_B = self.pictures(x, lengths_B)
        steps = Steps(x, lengths_B)
        dropped = self.dropouts.input_dropout
        how = {"training": self.training, "locked": self.dropouts.locked}
        x_BTF = drop(self.inputs(x, steps), dropped, **how)
        if self.convolution is not None:
            x_BTF, _ = self.convolution(x_BTF, steps, None)
        h_D, _ = self.encoder(x_BTF, steps)
        if self.attention is not None:
            found_D = self.attention(h_D, steps)
            h_D = [h_BTH + found_BTH for h_BTH, found_BTH in zip(h_D, found_D, strict=True)]
        state = self.decoder.start(join(self.pooling(h_D, steps), self.encoder.join))
        kept: list[Tensor] = []
        if self.decoder.memory is not None:
            h_BTJ = drop(join(h_D, self.encoder.join), self.dropouts.between_layers, **how)
            kept = self.decoder.memory(h_BTJ)
        return Encoded(kept, steps.pooled_BT, state)
