"""Gated recurrent unit (Cho et al., 2014), the reset applied after the product as in cuDNN."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

GATES = (
    "reset",
    "update",
    "new",
)


def build(inputs: int, hidden_size: int) -> nn.RNNBase:
    """One forward layer, batch first."""
    from torch import nn

    return nn.GRU(inputs, hidden_size, batch_first=True)
