"""The whole network of the `recurrent` architecture: encode, pool, read off."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from tuner.models.encoder import Encoder, join, joined_size
from tuner.models.shape import Dropouts, Shape
from tuner.models.steps import Steps


class Network(nn.Module):
    """(x_BTF, lengths_B) → y_BO.

    Padding on the right may hold anything, NaN included; in training it must be finite, as `Batch`
    leaves it, since blanking it once more takes 3 % of a small network's step. Lengths are at least
    1; a rank without rows takes part with one placeholder row of length 0, whose output is finite
    and means nothing.
    """

    def __init__(
        self,
        encoder: Encoder,
        pooling: nn.Module,
        *,
        hidden_size: int,
        directions: int,
        dropouts: Dropouts,
        shape: Shape,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        self.head = nn.Linear(joined_size(hidden_size, directions, encoder.join), shape.outputs)
        self.dropouts = dropouts

    def forward(self, x_BTF: Tensor, lengths_B: Tensor) -> Tensor:
        """Maps each sequence to its outputs."""
        steps = Steps(x_BTF, lengths_B)
        if not self.training:
            x_BTF = x_BTF.masked_fill(~steps.valid_BT.unsqueeze(-1), 0.0)
        x_BTF = F.dropout(x_BTF, self.dropouts.input_dropout, self.training)
        p_D = self.pooling(self.encoder(x_BTF, steps), steps)
        p_BJ = F.dropout(join(p_D, self.encoder.join), self.dropouts.dropout, self.training)
        y_BO: Tensor = self.head(p_BJ)
        return y_BO
