"""A stack of recurrent layers whose outputs do not depend on padding.

B sequences, T steps, F features, D directions, H hidden units. Right padding cannot reach the
valid steps of a forward pass. The backward direction therefore runs forwards too, over each
sequence reversed within its length. Packed sequences would be as exact, but lose oneDNN on CPUs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuner.models.norm import NormName, norm
from tuner.models.steps import Steps

Join = Literal["concat", "sum", "mean"]
BuildCell = Callable[[int, int], nn.Module]
"""(inputs, hidden size) → x_BTI → (h_BTH, state)"""


def join(h_DH: Tensor, how: Join) -> Tensor:
    """Makes one vector per step or sequence of those of its directions: h_...DH → h_...J."""
    match how:
        case "concat":
            return h_DH.flatten(-2)
        case "sum":
            return h_DH.sum(dim=-2)
        case "mean":
            return h_DH.mean(dim=-2)
        case _:
            assert_never(how)


def joined_size(hidden_size: int, directions: int, how: Join) -> int:
    """How many units `join` gives."""
    return hidden_size * directions if how == "concat" else hidden_size


def dropout(x: Tensor, share: float, training: bool) -> Tensor:
    """torch's, which otherwise draws a mask for a share of 0 too."""
    return F.dropout(x, share, training) if share else x


class Layer(nn.Module):
    """One level of the stack: a cell and its normalisation for each direction."""

    def __init__(
        self, build_cell: BuildCell, inputs: int, hidden_size: int, directions: int, norms: NormName
    ) -> None:
        super().__init__()
        self.cells = nn.ModuleList(build_cell(inputs, hidden_size) for _ in range(directions))
        self.norms = nn.ModuleList(norm(norms, hidden_size) for _ in range(directions))

    def forward(self, x_BTI: Tensor, steps: Steps) -> Tensor:
        """Runs all directions: x_BTI → h_BTDH, forward first."""
        outputs = []
        for direction, (cell, normalise) in enumerate(zip(self.cells, self.norms, strict=True)):
            backward = direction == 1
            h_BTH, _ = cell(steps.reverse(x_BTI) if backward else x_BTI)
            if backward:
                h_BTH = steps.reverse(h_BTH)
            outputs.append(normalise(h_BTH, steps))
        # One direction needs no copy.
        return outputs[0].unsqueeze(2) if len(outputs) == 1 else torch.stack(outputs, dim=2)


class Encoder(nn.Module):
    """The stack: (x_BTF, steps) → h_BTDH of the top layer, dropout between the layers."""

    def __init__(
        self,
        build_cell: BuildCell,
        *,
        inputs: int,
        hidden_size: int,
        layers: int,
        directions: int,
        join: Join,
        norm: NormName,
        dropout: float,
    ) -> None:
        super().__init__()
        self.join: Join = join
        self.dropout = dropout
        above = joined_size(hidden_size, directions, join)
        self.layers = nn.ModuleList(
            Layer(build_cell, inputs if level == 0 else above, hidden_size, directions, norm)
            for level in range(layers)
        )

    def forward(self, x_BTF: Tensor, steps: Steps) -> Tensor:
        """Encodes every step; what stands at padded steps is finite and meaningless."""
        h_BTDH: Tensor = self.layers[0](x_BTF, steps)
        for layer in self.layers[1:]:
            h_BTJ = dropout(join(h_BTDH, self.join), self.dropout, self.training)
            h_BTDH = layer(h_BTJ, steps)
        return h_BTDH
