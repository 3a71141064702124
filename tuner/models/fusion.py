"""Ways of joining a sequence's vector, or that of each of its steps, with the second input's.

B sequences   T steps   P units of the sequence   S numbers of the second input   U units given
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def beside(h: Tensor, s_BS: Tensor) -> Tensor:
    """h_B(P+S), or h_BT(P+S): the second input's numbers beside each vector."""
    if h.dim() == 3:
        s = s_BS.unsqueeze(1).expand(-1, h.shape[1], -1)
    else:
        s = s_BS
    return torch.cat([h, s.to(h.dtype)], dim=-1)


class Late(nn.Module):
    """(h_...P, s_BS) → h_...U: a layer over both, since a linear head alone would only add them."""

    def __init__(self, sequence: int, side: int, units: int) -> None:
        super().__init__()
        self.both = nn.Linear(sequence + side, units)

    def forward(self, h: Tensor, s_BS: Tensor) -> Tensor:
        joined: Tensor = self.both(beside(h, s_BS)).tanh()
        return joined


class Gated(nn.Module):
    """(h_...P, s_BS) → h_...U: the gated multimodal unit of Arevalo et al. (2017), with biases.

    Each unit is a mean of what the sequence says and what the second input does, in shares that
    both together decide.
    """

    def __init__(self, sequence: int, side: int, units: int) -> None:
        super().__init__()
        self.sequence = nn.Linear(sequence, units)
        self.side = nn.Linear(side, units)
        self.gate = nn.Linear(sequence + side, units)

    def forward(self, h: Tensor, s_BS: Tensor) -> Tensor:
        share = self.gate(beside(h, s_BS)).sigmoid()
        side_BU = self.side(s_BS).tanh()
        side = side_BU.unsqueeze(1) if h.dim() == 3 else side_BU
        joined: Tensor = share * self.sequence(h).tanh() + (1 - share) * side
        return joined
