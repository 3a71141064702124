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

        def begin(self) -> list[list[float]]:
            return [[0.0] * hidden_size, [0.0]]

        def advance(
            self, states: list[Tensor], h_BTH: Tensor, steps: Steps
        ) -> tuple[Tensor, list[Tensor]]:
            """The states are a sum and a count, exact up to 2²⁴ steps."""
            sum_1BH, count_1B1 = states
            valid_BT1 = steps.valid_BT.unsqueeze(-1)
            sum_BH = sum_1BH[0] + h_BTH.masked_fill(~valid_BT1, 0.0).sum(dim=1)
            count_B1 = count_1B1[0] + valid_BT1.to(h_BTH.dtype).sum(dim=1)
            return sum_BH / count_B1.clamp(min=1.0), [sum_BH.unsqueeze(0), count_B1.unsqueeze(0)]

    return Mean()


def num_parameters(directions: int, hidden_size: int, heads: int) -> int:
    """Nothing is learned."""
    return 0
