"""A stack of recurrent layers whose outputs do not depend on padding.

B sequences, T steps, F features, D directions, H hidden units. Right padding cannot reach the
valid steps of a forward pass. The backward direction therefore runs forwards too, over each
sequence reversed within its length. Packed sequences would be as exact, but lose oneDNN on CPUs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, assert_never

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuner import registry
from tuner.models.norm import NormName, norm
from tuner.models.shape import Dropouts
from tuner.models.steps import Steps

if TYPE_CHECKING:
    from tuner.models.architectures.recurrent import RecurrentConfig

Join = Literal["concat", "sum", "mean"]
BuildCell = Callable[[int, int], nn.Module]
"""(inputs, hidden size) → (x_BTI, state or nothing) → (h_BTH, state)"""


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


class Layer(nn.Module):
    """One level of the stack: a cell and its normalisation for each direction."""

    def __init__(
        self, build_cell: BuildCell, inputs: int, hidden_size: int, directions: int, norms: NormName
    ) -> None:
        super().__init__()
        self.cells = nn.ModuleList(build_cell(inputs, hidden_size) for _ in range(directions))
        self.norms = nn.ModuleList(norm(norms, hidden_size) for _ in range(directions))

    def forward(
        self, x_BTI: Tensor, steps: Steps, state: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Runs all directions: x_BTI → an h_BTH for each, forward first, and the forward's state.

        Args:
            x_BTI: what the layer below gave.
            steps: which steps count.
            state: of the forward direction, each 1BH; empty to start afresh.
        """
        outputs, ends = [], []
        for direction, (cell, normalise) in enumerate(zip(self.cells, self.norms, strict=True)):
            backward = direction == 1
            h_BTH, end = _run(cell, steps.reverse(x_BTI) if backward else x_BTI, state)
            if backward:
                h_BTH = steps.reverse(h_BTH)
            outputs.append(normalise(h_BTH, steps))
            ends.append(end)
        return outputs, ends[0]


def _run(cell: nn.Module, x_BTI: Tensor, state: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """A cell's state is a tensor or, as an LSTM's, a tuple of some; here it is always a list."""
    if not state:
        h_BTH, end = cell(x_BTI)
    else:
        h_BTH, end = cell(x_BTI, state[0] if len(state) == 1 else tuple(state))
    return h_BTH, [end] if isinstance(end, Tensor) else list(end)


class Encoder(nn.Module):
    """The stack: (x_BTF, steps, state) → the top layer's h_BTH of each direction, and the state.

    The state is one flat list over the layers, of the forward direction. There is dropout between
    layers.
    """

    def __init__(self, config: RecurrentConfig, dropouts: Dropouts, *, inputs: int) -> None:
        super().__init__()
        self.join: Join = config.join
        self.dropouts = dropouts
        build_cell = registry.get("cells", config.cell).build
        self.layers = nn.ModuleList(
            Layer(
                build_cell,
                inputs if level == 0 else config.joined_size,
                config.hidden_size,
                config.directions,
                config.norm,
            )
            for level in range(config.layers)
        )

    def forward(
        self, x_BTF: Tensor, steps: Steps, state: Sequence[Tensor] = ()
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Encodes every step; what stands at padded steps is finite and meaningless."""
        h_D = [x_BTF]
        share = len(state) // len(self.layers)
        ends: list[Tensor] = []
        for level, layer in enumerate(self.layers):
            if level:
                h_D = [F.dropout(join(h_D, self.join), self.dropouts.dropout, self.training)]
            h_D, end = layer(h_D[0], steps, state[level * share : (level + 1) * share])
            ends += end
        return h_D, ends
