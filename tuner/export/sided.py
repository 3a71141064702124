"""The network that reads a second input, as its graph takes it: by place, as a tracer calls it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Sided(nn.Module):
    """(x, lengths_B, side_BX) → y of a network that is given its second input by name."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, lengths_B: Tensor, side_BX: Tensor) -> Any:
        """What the network gives."""
        return self.network(x, lengths_B, side_BX=side_BX)
