"""A stack of recurrent layers whose outputs do not depend on padding.

B sequences, T steps, F features, D directions, H hidden units. Right padding cannot reach the
valid steps of a forward pass. The backward direction therefore runs forwards too, over each
sequence reversed within its length. Packed sequences would be as exact, but lose oneDNN on CPUs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuner.models.norm import NormName, norm
from tuner.models.steps import Steps

Join = Literal["concat", "sum", "mean"]
BuildCell = Callable[[int, int], nn.Module]
"""(inputs, hidden size) → x_BTI → (h_BTH, state)"""


def join(h_D: Sequence[Tensor], how: Join) -> Tensor:
    """Makes one vector per step or sequence of those of its directions: each h_...H → h_...J.

    Directions come as a list rather than along a dimension: with one direction, views and copies
    in and out of that dimension took some 6 % of a small network's step.
    """
    if len(h_D) == 1:
        return h_D[0]
    match how:
        case "concat":
            return torch.cat(list(h_D), dim=-1)
        case "sum":
            return h_D[0] + h_D[1]
        case "mean":
            return (h_D[0] + h_D[1]) / 2
        case _:
            assert_never(how)


def joined_size(hidden_size: int, directions: int, how: Join) -> int:
    """How many units `join` gives."""
    return hidden_size * directions if how == "concat" else hidden_size


class Layer(nn.Module):
    """One level of the stack: a cell and its normalisation for each direction."""

    def __init__(
        self, build_cell: BuildCell, inputs: int, hidden_size: int, directions: int, norms: NormName
    ) -> None:
        super().__init__()
        self.cells = nn.ModuleList(build_cell(inputs, hidden_size) for _ in range(directions))
        self.norms = nn.ModuleList(norm(norms, hidden_size) for _ in range(directions))

    def forward(self, x_BTI: Tensor, steps: Steps) -> list[Tensor]:
        """Runs all directions: x_BTI → an h_BTH for each, forward first."""
        outputs = []
        for direction, (cell, normalise) in enumerate(zip(self.cells, self.norms, strict=True)):
            backward = direction == 1
            h_BTH, _ = cell(steps.reverse(x_BTI) if backward else x_BTI)
            if backward:
                h_BTH = steps.reverse(h_BTH)
            outputs.append(normalise(h_BTH, steps))
        return outputs


class Encoder(nn.Module):
    """The stack: (x_BTF, steps) → the top layer's h_BTH of each direction, dropout between."""

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

    def forward(self, x_BTF: Tensor, steps: Steps) -> list[Tensor]:
        """Encodes every step; what stands at padded steps is finite and meaningless."""
        h_D = [x_BTF]
        for level, layer in enumerate(self.layers):
            if level:
                h_D = [F.dropout(join(h_D, self.join), self.dropout, self.training)]
            h_D = layer(h_D[0], steps)
        return h_D
