"""The whole network of the `recurrent` architecture: read, encode, pool, read off."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuner.models.encoder import Encoder, join
from tuner.models.head import TiedHead
from tuner.models.inputs import Tokens, Values
from tuner.models.shape import Dropouts, Shape
from tuner.models.steps import Steps

Outputs = Tensor | tuple[Tensor, Tensor] | tuple[Tensor, list[Tensor]]


class Network(nn.Module):
    """(x, lengths_B) → y; what goes in and out besides, `Shape` says.

    Padding on the right may hold anything that `inputs` takes. Lengths are at least 1; a rank
    without rows takes part with one placeholder row of length 0, whose output is finite and means
    nothing, as it does at padded steps.
    """

    def __init__(
        self,
        inputs: Values | Tokens,
        encoder: Encoder,
        pooling: nn.Module | None,
        head: nn.Linear | TiedHead,
        *,
        dropouts: Dropouts,
        shape: Shape,
    ) -> None:
        super().__init__()
        self.inputs = inputs
        self.encoder = encoder
        self.pooling = pooling
        self.head = head
        self.dropouts = dropouts
        self.carries = shape.carries
        outputs = shape.outputs
        self.transitions = nn.Parameter(torch.zeros(outputs + 2, outputs)) if shape.crf else None

    def forward(
        self, x: Tensor, lengths_B: Tensor, state: Sequence[Tensor] | None = None
    ) -> Outputs:
        """Maps each sequence, or each of its steps, to its outputs."""
        steps = Steps(x, lengths_B)
        x_BTF = F.dropout(self.inputs(x, steps), self.dropouts.input_dropout, self.training)
        h_D, state = self.encoder(x_BTF, steps, state or ())
        if self.pooling is not None:
            h_D = self.pooling(h_D, steps)
        h_J = F.dropout(join(h_D, self.encoder.join), self.dropouts.dropout, self.training)
        y_O = self._read_off(h_J)
        if self.carries:
            return y_O, list(state)
        return y_O if self.transitions is None else (y_O, self.transitions)

    def _read_off(self, h_J: Tensor) -> Tensor:
        if isinstance(self.head, TiedHead):
            assert isinstance(self.inputs, Tokens)
            tied_V: Tensor = self.head(h_J, self.inputs.embedding.weight)
            return tied_V
        y_O: Tensor = self.head(h_J)
        return y_O
