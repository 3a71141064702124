"""Simple recurrent layer with tanh (Elman, 1990)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

GATES = ("hidden",)


def build(inputs: int, hidden_size: int) -> nn.RNNBase:
    """One forward layer, batch first."""
    from torch import nn

    return nn.RNN(inputs, hidden_size, batch_first=True)
