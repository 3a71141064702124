"""The largest output of each unit over the valid steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.models.steps import Steps


def build(directions: int, hidden_size: int) -> nn.Module:
    """The maximum over time, unit by unit."""
    from torch import nn

    class Max(nn.Module):
        def forward(self, h_BTDH: Tensor, steps: Steps) -> Tensor:
            padding_BT11 = ~steps.pooled_BT[:, :, None, None]
            return h_BTDH.masked_fill(padding_BT11, float("-inf")).amax(dim=1)

    return Max()
