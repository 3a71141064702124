"""The state after reading the whole sequence: each direction at its own end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.models.steps import Steps


def build(directions: int, hidden_size: int) -> nn.Module:
    """Forward at the last valid step, backward at the first."""
    import torch
    from torch import nn

    class Last(nn.Module):
        def forward(self, h_BTDH: Tensor, steps: Steps) -> Tensor:
            ends = [steps.last(h_BTDH[:, :, 0]), *h_BTDH[:, 0, 1:].unbind(1)]
            return ends[0].unsqueeze(1) if len(ends) == 1 else torch.stack(ends, dim=1)

    return Last()
