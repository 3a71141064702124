"""The state after reading the whole sequence: each direction at its own end."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.models.steps import Steps


def build(directions: int, hidden_size: int, heads: int) -> nn.Module:
    """Forward at the last valid step, backward at the first."""
    from torch import nn

    class Last(nn.Module):
        def forward(self, h_D: list[Tensor], steps: Steps) -> list[Tensor]:
            return [steps.last(h_D[0]), *(h_BTH[:, 0] for h_BTH in h_D[1:])]

        def begin(self) -> list[list[float]]:
            return [[0.0] * hidden_size]

        def advance(
            self, states: list[Tensor], h_BTH: Tensor, steps: Steps
        ) -> tuple[Tensor, list[Tensor]]:
            (before_1BH,) = states
            last_BH = before_1BH[0].where(steps.empty_B1, steps.last(h_BTH))
            return last_BH, [last_BH.unsqueeze(0)]

    return Last()


def num_parameters(directions: int, hidden_size: int, heads: int) -> int:
    """Nothing is learned."""
    return 0
