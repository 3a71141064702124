"""The mean of the outputs over the valid steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.models.steps import Steps


def build(directions: int, hidden_size: int, heads: int) -> nn.Module:
    """The mean over time, sequence by sequence."""
    from torch import nn

    class Mean(nn.Module):
        def forward(self, h_D: list[Tensor], steps: Steps) -> list[Tensor]:
            padding_BT1 = ~steps.pooled_BT.unsqueeze(-1)
            length_B1 = steps.lengths_B.unsqueeze(-1)
            return [h.masked_fill(padding_BT1, 0.0).sum(dim=1) / length_B1 for h in h_D]

    return Mean()


def num_parameters(directions: int, hidden_size: int, heads: int) -> int:
    """Nothing is learned."""
    return 0
