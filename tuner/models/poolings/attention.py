"""A learned weighting of the valid steps, scored additively (Bahdanau et al., 2015)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.models.steps import Steps


def build(directions: int, hidden_size: int, heads: int) -> nn.Module:
    """One weight per step, shared by the directions, from both directions' outputs."""
    import torch
    from torch import nn

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.project = nn.Linear(directions * hidden_size, hidden_size)
            # No bias: the softmax would cancel it.
            self.score = nn.Linear(hidden_size, 1, bias=False)

        def forward(self, h_D: list[Tensor], steps: Steps) -> list[Tensor]:
            weight_BT = self.weights(h_D, steps)
            return [(h_BTH * weight_BT.unsqueeze(-1)).sum(dim=1) for h_BTH in h_D]

        def weights(self, h_D: list[Tensor], steps: Steps) -> Tensor:
            """How much each step counts."""
            h_BTJ = h_D[0] if len(h_D) == 1 else torch.cat(h_D, dim=-1)
            score_BT = self.score(self.project(h_BTJ).tanh()).squeeze(-1)
            weight_BT: Tensor = score_BT.masked_fill(~steps.pooled_BT, float("-inf")).softmax(dim=1)
            return weight_BT

    return Attention()


def num_parameters(directions: int, hidden_size: int, heads: int) -> int:
    """The projection with its bias, and the score."""
    return (directions * hidden_size + 2) * hidden_size
