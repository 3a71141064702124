"""A learned weighting of the valid steps, scored by scaled dot products (Vaswani et al., 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.models.steps import Steps


def build(directions: int, hidden_size: int, heads: int) -> nn.Module:
    """One weight per step, shared by the directions; the query is learned and starts at 0."""
    import torch
    from torch import nn

    class DotAttention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.query = nn.Parameter(torch.zeros(directions * hidden_size))

        def forward(self, h_D: list[Tensor], steps: Steps) -> list[Tensor]:
            weight_BT = self.weights(h_D, steps)
            return [(h_BTH * weight_BT.unsqueeze(-1)).sum(dim=1) for h_BTH in h_D]

        def weights(self, h_D: list[Tensor], steps: Steps) -> Tensor:
            """How much each step counts."""
            h_BTJ = h_D[0] if len(h_D) == 1 else torch.cat(h_D, dim=-1)
            score_BT = h_BTJ @ self.query * self.query.shape[0] ** -0.5
            weight_BT: Tensor = score_BT.masked_fill(~steps.pooled_BT, float("-inf")).softmax(dim=1)
            return weight_BT

    return DotAttention()


def num_parameters(directions: int, hidden_size: int, heads: int) -> int:
    """The query."""
    return directions * hidden_size
