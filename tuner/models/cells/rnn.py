"""Simple recurrent layer with tanh (Elman, 1990)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuner.models.cells import _stacked

if TYPE_CHECKING:
    from torch import nn

GATES = ("hidden",)
STATE = ("output",)


def build(inputs: int, hidden_size: int) -> nn.RNNBase:
    """One forward layer, batch first."""
    from torch import nn

    return nn.RNN(inputs, hidden_size, batch_first=True)


def num_parameters(inputs: int, hidden_size: int) -> int:
    """What `build` allocates."""
    return _stacked.num_parameters(len(GATES), inputs, hidden_size)
