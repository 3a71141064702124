"""The mean of what the steps find in one another (Vaswani et al., 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuner import registry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.models.steps import Steps


def build(directions: int, hidden_size: int, heads: int) -> nn.Module:
    """Self-attention over the valid steps, then their mean."""
    from torch import nn

    from tuner.models.attention import SelfAttention

    class MultiheadAttention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = SelfAttention(directions, hidden_size, heads)
            self.mean = registry.get("poolings", "mean").build(directions, hidden_size, heads)

        def forward(self, h_D: list[Tensor], steps: Steps) -> list[Tensor]:
            pooled_D: list[Tensor] = self.mean(self.attention(h_D, steps), steps)
            return pooled_D

        def weights(self, h_D: list[Tensor], steps: Steps) -> Tensor:
            """How much each step counts: the mean over the steps that look at it."""
            look_BTT = self.attention.looks(h_D, steps)
            seen_BT1 = steps.pooled_BT.unsqueeze(-1)
            weight_BT: Tensor = (look_BTT * seen_BT1).sum(dim=1) / seen_BT1.sum(dim=1)
            return weight_BT

    return MultiheadAttention()


def num_parameters(directions: int, hidden_size: int, heads: int) -> int:
    """Of the self-attention: queries, keys and values, and what makes one output of them."""
    size = directions * hidden_size
    inside = heads * -(-size // heads)
    return 3 * (size + 1) * inside + (inside + 1) * size
