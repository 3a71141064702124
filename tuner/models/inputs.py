"""What the first layer reads: numbers as they are, or vectors of tokens and their characters.

B sequences, T steps, F features, K ids per step, C characters, E units. Padding on the right may
hold anything, NaN included; in training it must be 0, as `Batch` leaves it, since blanking it once
more takes 3 % of a small network's step.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuner.models.steps import Steps


class Values(nn.Module):
    """Numeric features: (x_BTF, steps) → x_BTF."""

    def forward(self, x_BTF: Tensor, steps: Steps) -> Tensor:
        """Blanks the padding."""
        return _blanked(self, x_BTF, steps)


class Tokens(nn.Module):
    """Tokens: (x_BTK, steps) → x_BTF, the token's vector and what its characters say.

    Args:
        vocabulary: ids of tokens, 0 being padding.
        units: of a token's vector.
        characters: reads the remaining ids, if there are any.
        dropout: share of tokens that a training batch does not see.
    """

    def __init__(
        self, vocabulary: int, units: int, characters: Characters | None, dropout: float
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.embedding = nn.Embedding(vocabulary, units, padding_idx=0)
        self.characters = characters

    def forward(self, x_BTK: Tensor, steps: Steps) -> Tensor:
        """Looks every token up; padding becomes zeros."""
        x_BTK = _blanked(self, x_BTK, steps)
        e_BTE: Tensor = self.embedding(x_BTK[..., 0])
        if self.training and self.dropout:
            kept_V1 = F.dropout(e_BTE.new_ones(self.embedding.num_embeddings, 1), self.dropout)
            e_BTE = e_BTE * kept_V1[x_BTK[..., 0]]
        if self.characters is None:
            return e_BTE
        return torch.cat([e_BTE, self.characters(x_BTK[..., 1:])], dim=-1)


class Characters(nn.Module):
    """A token by its characters: x_BTC → x_BTE, as in Ma and Hovy (2016).

    Each three neighbouring characters give some numbers, of which the largest over the token
    remain. A character's vector has as many units as there are filters, as theirs had.
    """

    def __init__(self, characters: int, filters: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, filters, padding_idx=0)
        self.convolution = nn.Conv1d(filters, filters, kernel_size=3, padding=1)

    def forward(self, x_BTC: Tensor) -> Tensor:
        """Zeros for a token without characters."""
        x_NC = x_BTC.flatten(0, 1)
        e_NCE = self.embedding(x_NC)
        h_NEC = self.convolution(e_NCE.transpose(1, 2))
        padding_NC = x_NC == 0
        h_NE = h_NEC.masked_fill(padding_NC.unsqueeze(1), float("-inf")).amax(dim=2)
        h_NE = h_NE.masked_fill(padding_NC.all(dim=1, keepdim=True), 0.0)
        # Not `unflatten`, nor a slice of the shape: both freeze the sizes of a traced graph.
        h_BTE: Tensor = h_NE.view(x_BTC.shape[0], x_BTC.shape[1], -1)
        return h_BTE


def _blanked(module: nn.Module, x_BTX: Tensor, steps: Steps) -> Tensor:
    return x_BTX if module.training else x_BTX.masked_fill(~steps.valid_BT.unsqueeze(-1), 0)
