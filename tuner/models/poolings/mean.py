"""The mean of the outputs over the valid steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.models.steps import Steps


def build(directions: int, hidden_size: int) -> nn.Module:
    """The mean over time, sequence by sequence."""
    from torch import nn

    class Mean(nn.Module):
        def forward(self, h_BTDH: Tensor, steps: Steps) -> Tensor:
            padding_BT11 = ~steps.pooled_BT[:, :, None, None]
            sum_BDH = h_BTDH.masked_fill(padding_BT11, 0.0).sum(dim=1)
            return sum_BDH / steps.lengths_B[:, None, None]

    return Mean()
