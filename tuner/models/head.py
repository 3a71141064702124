"""What reads the outputs off: a linear map, whose weights may be those of the token embedding."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TiedHead(nn.Module):
    """(h_...J, weight_VE) → y_...V: a token's score by its own vector (Press and Wolf, 2017).

    Inan et al. (2017) show why the two are one matrix. It stays with the embedding, so that it has
    one name. A vector of another size goes through a matrix first, without a bias.
    """

    def __init__(self, inputs: int, units: int, vocabulary: int) -> None:
        super().__init__()
        self.project = nn.Linear(inputs, units, bias=False) if inputs != units else nn.Identity()
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, h_J: Tensor, weight_VE: Tensor) -> Tensor:
        return F.linear(*self.factors(h_J, weight_VE))

    def factors(self, h_J: Tensor, weight_VE: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the scores are a linear map of, its matrix and its bias.

        Padding's row is left out of the gradient, so that its vector stays 0.
        """
        weight_VE = torch.cat([weight_VE[:1].detach(), weight_VE[1:]])
        return self.project(h_J), weight_VE, self.bias
