"""The whole network of the `recurrent` architecture, from what is read to what is read off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tuner.models.attention import SelfAttention
from tuner.models.convolution import Convolution
from tuner.models.dropout import drop
from tuner.models.encoder import Encoder, join
from tuner.models.frames import Frames
from tuner.models.head import TiedHead
from tuner.models.inputs import Tokens, Values
from tuner.models.pictures import Pictures
from tuner.models.shape import Dropouts, Shape
from tuner.models.side import SideInput
from tuner.models.steps import Steps
from tuner.models.subsampling import Subsampling

Factors = tuple[Tensor, Tensor, Tensor]
Outputs = Tensor | tuple[Tensor, Tensor] | tuple[Tensor, list[Tensor]] | Factors


class Network(nn.Module):
    """(x, lengths_B) → y; what goes in and out besides, `Shape` says.

    Padding on the right may hold anything that `inputs` takes. Lengths are at least 1; a rank
    without rows takes part with one placeholder row of length 0, whose output is finite and means
    nothing, as it does at padded steps.
    """

    def __init__(
        self,
        inputs: Values | Tokens | Frames,
        subsampling: Subsampling | None,
        convolution: Convolution | None,
        encoder: Encoder,
        attention: SelfAttention | None,
        pooling: nn.Module | None,
        head: nn.Linear | TiedHead,
        *,
        dropouts: Dropouts,
        shape: Shape,
        pictures: Pictures | None = None,
        side: SideInput | None = None,
    ) -> None:
        super().__init__()
        self.pictures = pictures
        self.side = side
        self.inputs = inputs
        self.subsampling = subsampling
        self.convolution = convolution
        self.encoder = encoder
        self.attention = attention
        self.pooling = pooling
        self.head = head
        self.dropouts = dropouts
        self.carries, self.following = shape.carries, shape.following
        outputs = shape.outputs
        self.transitions = nn.Parameter(torch.zeros(outputs + 2, outputs)) if shape.crf else None

    def forward(
        self,
        x: Tensor,
        lengths_B: Tensor,
        state: Sequence[Tensor] | None = None,
        side_BX: Tensor | None = None,
    ) -> Outputs:
        """Maps each sequence, or each of its steps, to its outputs."""
        side_BS: Any = None if self.side is None else self.side(side_BX)
        if self.pictures is not None:
            x, lengths_B = self.pictures(x, lengths_B)
        steps = Steps(x, lengths_B)
        x_BTF = self._dropped(self.inputs(x, steps), self.dropouts.input_dropout)
        if self.subsampling is not None:
            x_BTF, steps = self.subsampling(x_BTF, steps)
        state = list(state or ())
        ends: list[Tensor] = []
        if self.convolution is not None:
            x_BTF, context_CBF = self.convolution(x_BTF, steps, state.pop(0) if state else None)
            ends += [] if context_CBF is None else [context_CBF]
        if self.side is not None:
            x_BTF = self.side.before_layers(x_BTF, side_BS)
        h_D, end = self.encoder(x_BTF, steps, state, side_BS)
        if self.attention is not None:
            found_D = self.attention(h_D, steps)
            h_D = [h_BTH + found_BTH for h_BTH, found_BTH in zip(h_D, found_D, strict=True)]
        if self.pooling is not None:
            h_D = self.pooling(h_D, steps)
        h_J = join(h_D, self.encoder.join)
        if self.side is not None:
            h_J = self.side.before_head(h_J, side_BS)
        h_J = self._dropped(h_J, self.dropouts.before_head)
        if self.following and self.training:
            return self._factors(h_J)
        y_O = self.read_off(steps.last(h_J) if self.following else h_J)
        if self.carries:
            return y_O, ends + end
        return y_O if self.transitions is None else (y_O, self.transitions)

    @property
    def fixed_steps(self) -> int:
        """Of every input, where pictures are read; 0 where any number is."""
        return 0 if self.pictures is None else self.pictures.picture[0]

    def learned_start(self) -> list[Tensor]:
        """What each layer's state starts from, the last of all states; empty where from zeros."""
        named = self.encoder.named_parameters()
        return [part_H.detach() for name, part_H in named if ".initials.0." in name]

    def _dropped(self, h: Tensor, share: float) -> Tensor:
        return drop(h, share, training=self.training, locked=self.dropouts.locked)

    def read_off(self, h_J: Tensor) -> Tensor:
        """The outputs of what stands before the head."""
        if isinstance(self.head, TiedHead):
            assert isinstance(self.inputs, Tokens)
            tied_V: Tensor = self.head(h_J, self.inputs.embedding.weight)
            return tied_V
        y_O: Tensor = self.head(h_J)
        return y_O

    def _factors(self, h_J: Tensor) -> Factors:
        """What `read_off` multiplies: vectors, a matrix and a bias."""
        if isinstance(self.head, TiedHead):
            assert isinstance(self.inputs, Tokens)
            return self.head.factors(h_J, self.inputs.embedding.weight)
        return h_J, self.head.weight, self.head.bias
