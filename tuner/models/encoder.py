"""A stack of recurrent layers whose outputs do not depend on padding.

B sequences, T steps, F features, D directions, H hidden units. Right padding cannot reach the
valid steps of a forward pass. The backward direction therefore runs forwards too, over each
sequence reversed within its length. Packed sequences would be as exact, but lose oneDNN on CPUs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, assert_never

import torch
from torch import Tensor, nn

from tuner import registry
from tuner.models.dropout import drop, run_with_dropped_weights
from tuner.models.norm import norm
from tuner.models.shape import Dropouts
from tuner.models.steps import Steps

if TYPE_CHECKING:
    from tuner.models.architectures.recurrent import RecurrentConfig

Join = Literal["concat", "sum", "mean"]


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


class InitialState(nn.Module):
    """The state that a sequence starts from, learned: batch size → tensors 1BH."""

    def __init__(self, parts: int, hidden_size: int) -> None:
        super().__init__()
        self.parts = nn.ParameterList(torch.zeros(hidden_size) for _ in range(parts))

    def forward(self, x_BTI: Tensor, side_BS: Tensor | None) -> list[Tensor]:
        """The same for every sequence of a batch."""
        return [part_H.expand(1, x_BTI.shape[0], -1).contiguous() for part_H in self.parts]


class ConditionedState(nn.Module):
    """The state that a sequence starts from, told by the second input: side_BS → tensors 1BH.

    As an image starts a caption's RNN in Karpathy and Fei-Fei (2015), through a tanh, so that it
    lies where an LSTM's own outputs do.
    """

    def __init__(self, parts: int, side: int, hidden_size: int) -> None:
        super().__init__()
        self.parts = nn.ModuleList(nn.Linear(side, hidden_size) for _ in range(parts))

    def forward(self, x_BTI: Tensor, side_BS: Tensor | None) -> list[Tensor]:
        """Another for every sequence, as precise as a learned one."""
        assert side_BS is not None, "a conditioned state without a second input"
        return [part(side_BS).tanh().unsqueeze(0).to(side_BS.dtype) for part in self.parts]


class Layer(nn.Module):
    """One level of the stack: for each direction a cell, its normalisation, and how it starts."""

    bptt = 0
    """In training the gradient is cut after so many steps, while the state goes on; 0 cuts none."""

    def __init__(
        self, config: RecurrentConfig, inputs: int, recurrent_dropout: float, side: int
    ) -> None:
        super().__init__()
        cell, width = registry.get("cells", config.cell), config.hidden_size
        directions = range(config.directions)
        self.recurrent_dropout = recurrent_dropout
        self.cells = nn.ModuleList(cell.build(inputs, width) for _ in directions)
        self.norms = nn.ModuleList(norm(config.norm, width) for _ in directions)
        self.initials = nn.ModuleList()
        if config.initial_state == "learned":
            self.initials.extend(InitialState(len(cell.STATE), width) for _ in directions)
        if config.initial_state == "conditioned":
            parts = len(cell.STATE)
            self.initials.extend(ConditionedState(parts, side, width) for _ in directions)

    def forward(
        self,
        x_BTI: Tensor,
        steps: Steps,
        state: Sequence[Tensor],
        side_BS: Tensor | None = None,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Runs all directions: x_BTI → an h_BTH for each, forward first, and the forward's state.

        Args:
            x_BTI: what the layer below gave.
            steps: which steps count.
            state: of the forward direction, each 1BH; empty to start afresh.
            side_BS: what the second input says, where there is one.
        """
        outputs, ends = [], []
        for direction, (cell, normalise) in enumerate(zip(self.cells, self.norms, strict=True)):
            backward = direction == 1
            if self.initials and not state:
                start = self.initials[direction](x_BTI, side_BS)
            else:
                start = state
            h_BTH, end = self._run(cell, steps.reverse(x_BTI) if backward else x_BTI, start)
            if backward:
                h_BTH = steps.reverse(h_BTH)
            outputs.append(normalise(h_BTH, steps))
            ends.append(end)
        return outputs, ends[0]

    def _run(
        self, cell: nn.Module, x_BTI: Tensor, state: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """A whole pass, or one piece after another under truncated back-propagation."""
        if not (self.training and self.bptt):
            return self._piece(cell, x_BTI, state)
        pieces = []
        for x_BPI in torch.split(x_BTI, self.bptt, dim=1):
            h_BPH, end = self._piece(cell, x_BPI, state)
            state = [part.detach() for part in end]
            pieces.append(h_BPH)
        return torch.cat(pieces, dim=1), list(state)

    def _piece(
        self, cell: nn.Module, x_BTI: Tensor, state: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """A cell's state is a tensor or, as an LSTM's, a tuple of them; here it is a list."""
        if self.training and self.recurrent_dropout:
            h_BTH, end = run_with_dropped_weights(cell, x_BTI, state, self.recurrent_dropout)
        elif state:
            h_BTH, end = cell(x_BTI, state[0] if len(state) == 1 else tuple(state))
        else:
            h_BTH, end = cell(x_BTI)
        return h_BTH, [end] if isinstance(end, Tensor) else list(end)


def truncate(module: nn.Module, steps: int) -> None:
    """Has all layers of a network cut their gradients through time after so many steps."""
    for layer in module.modules():
        if isinstance(layer, Layer):
            layer.bptt = steps


class Encoder(nn.Module):
    """The stack: (x_BTF, steps, state) → the top layer's h_BTH of each direction, and the state.

    The state is one flat list over the layers, of the forward direction. There is dropout between
    layers. With `residual`, what a layer gives is added to what the one below gave, direction by
    direction and past the dropout.

    Args:
        inputs: that the first layer reads at each step.
        side: numbers that are made of a second input, 0 where there is none.
    """

    def __init__(
        self, config: RecurrentConfig, dropouts: Dropouts, *, inputs: int, side: int = 0
    ) -> None:
        super().__init__()
        self.join: Join = config.join
        self.residual = config.residual
        self.dropouts = dropouts
        self.layers = nn.ModuleList(
            Layer(
                config,
                inputs if level == 0 else config.joined_size,
                dropouts.recurrent_dropout,
                side,
            )
            for level in range(config.layers)
        )

    def forward(
        self,
        x_BTF: Tensor,
        steps: Steps,
        state: Sequence[Tensor] = (),
        side_BS: Tensor | None = None,
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Encodes every step; what stands at padded steps is finite and meaningless."""
        share = len(state) // len(self.layers)
        ends: list[Tensor] = []
        h_D: list[Tensor] = []
        for level, layer in enumerate(self.layers):
            below_D, x_BTI = h_D, x_BTF
            if level:
                x_BTI = drop(
                    join(below_D, self.join),
                    self.dropouts.between_layers,
                    training=self.training,
                    locked=self.dropouts.locked,
                )
            h_D, end = layer(x_BTI, steps, state[level * share : (level + 1) * share], side_BS)
            if level and self.residual:
                h_D = [h_BTH + below_BTH for h_BTH, below_BTH in zip(h_D, below_D, strict=True)]
            ends += end
        return h_D, ends
