"""The largest output of each unit over the valid steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.models.steps import Steps


def build(directions: int, hidden_size: int, heads: int) -> nn.Module:
    """The maximum over time, unit by unit."""
    from torch import nn

    class Max(nn.Module):
        def forward(self, h_D: list[Tensor], steps: Steps) -> list[Tensor]:
            padding_BT1 = ~steps.pooled_BT.unsqueeze(-1)
            return [h_BTH.masked_fill(padding_BT1, float("-inf")).amax(dim=1) for h_BTH in h_D]

    return Max()


def num_parameters(directions: int, hidden_size: int, heads: int) -> int:
    """Nothing is learned."""
    return 0
