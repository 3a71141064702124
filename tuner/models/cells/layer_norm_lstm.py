"""Long short-term memory whose gates and cell are normalised at each step (Ba et al., 2016).

The steps are a loop, which takes several times as long as the kernel of `lstm`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuner.models.cells import _stacked
from tuner.models.cells.lstm import GATES, STATE

if TYPE_CHECKING:
    from torch import nn

__all__ = ["GATES", "STATE", "build", "num_parameters"]


def build(inputs: int, hidden_size: int) -> nn.Module:
    """One forward layer, batch first."""
    from tuner.models.layer_norm_lstm import LayerNormLSTM

    return LayerNormLSTM(inputs, hidden_size)


def num_parameters(inputs: int, hidden_size: int) -> int:
    """What `build` allocates: one bias and two scales for each gate, both for the cell."""
    plain = _stacked.num_parameters(len(GATES), inputs, hidden_size)
    return plain + (len(GATES) + 2) * hidden_size
