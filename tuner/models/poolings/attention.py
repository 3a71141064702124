"""A learned weighting of the valid steps, scored additively (Bahdanau et al., 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.models.steps import Steps


def build(directions: int, hidden_size: int) -> nn.Module:
    """One weight per step, shared by the directions, from both directions' outputs."""
    from torch import nn

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.project = nn.Linear(directions * hidden_size, hidden_size)
            # No bias: the softmax would cancel it.
            self.score = nn.Linear(hidden_size, 1, bias=False)

        def forward(self, h_BTDH: Tensor, steps: Steps) -> Tensor:
            score_BT = self.score(self.project(h_BTDH.flatten(2)).tanh()).squeeze(-1)
            weight_BT = score_BT.masked_fill(~steps.pooled_BT, float("-inf")).softmax(dim=1)
            p_BDH: Tensor = (h_BTDH * weight_BT[:, :, None, None]).sum(dim=1)
            return p_BDH

    return Attention()
