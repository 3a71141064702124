"""The largest output of each unit over the valid steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.models.steps import Steps


def build(directions: int, hidden_size: int, heads: int) -> nn.Module:
    """The maximum over time, unit by unit."""
    import torch
    from torch import nn

    class Max(nn.Module):
        def forward(self, h_D: list[Tensor], steps: Steps) -> list[Tensor]:
            padding_BT1 = ~steps.pooled_BT.unsqueeze(-1)
            return [h_BTH.masked_fill(padding_BT1, float("-inf")).amax(dim=1) for h_BTH in h_D]

        def begin(self) -> list[list[float]]:
            # What is below everything, for JSON, which has no infinity.
            return [[torch.finfo(torch.float32).min] * hidden_size]

        def advance(
            self, states: list[Tensor], h_BTH: Tensor, steps: Steps
        ) -> tuple[Tensor, list[Tensor]]:
            (before_1BH,) = states
            padding_BT1 = ~steps.valid_BT.unsqueeze(-1)
            here_BH = h_BTH.masked_fill(padding_BT1, float("-inf")).amax(dim=1)
            most_BH = before_1BH[0].maximum(here_BH)
            return most_BH, [most_BH.unsqueeze(0)]

    return Max()


def num_parameters(directions: int, hidden_size: int, heads: int) -> int:
    """Nothing is learned."""
    return 0
