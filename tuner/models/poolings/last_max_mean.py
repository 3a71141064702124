"""Last state, largest outputs and mean side by side (Howard and Ruder, 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuner import registry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.models.steps import Steps

_TOGETHER = ("last", "max", "mean")
VECTORS = len(_TOGETHER)


def build(directions: int, hidden_size: int, heads: int) -> nn.Module:
    """For each direction its three vectors as one."""
    import torch
    from torch import nn

    class LastMaxMean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleList(
                registry.get("poolings", name).build(directions, hidden_size, heads)
                for name in _TOGETHER
            )

        def forward(self, h_D: list[Tensor], steps: Steps) -> list[Tensor]:
            found = [part(h_D, steps) for part in self.parts]
            return [torch.cat(p_BH, dim=-1) for p_BH in zip(*found, strict=True)]

        def begin(self) -> list[list[float]]:
            return [state for part in self.parts for state in part.begin()]  # type: ignore[operator]

        def advance(
            self, states: list[Tensor], h_BTH: Tensor, steps: Steps
        ) -> tuple[Tensor, list[Tensor]]:
            pooled, kept = [], []
            for part in self.parts:
                num = len(part.begin())  # type: ignore[operator]
                mine, states = states[:num], states[num:]
                p_BH, after = part.advance(mine, h_BTH, steps)  # type: ignore[operator]
                pooled.append(p_BH)
                kept += after
            return torch.cat(pooled, dim=-1), kept

    return LastMaxMean()


def num_parameters(directions: int, hidden_size: int, heads: int) -> int:
    """Nothing is learned."""
    return 0
