"""A trained network that reads its sequences piece by piece, and goes on where it ended.

B streams, T steps of a piece, I inputs, H hidden units, U units of a state.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tuner.models.network import Network
from tuner.models.steps import Steps


class Stream(nn.Module):
    """(x, lengths_B, states) → (y, states): what the network gives once it has read this far.

    A row's piece may be shorter than others, or empty: its states are those after its own last
    step. They are 1BU each, those of the pooling first. Before a row's first step, what is pooled
    means nothing.
    """

    def __init__(self, network: Network, x: Tensor) -> None:
        """Copies a network that `looks_ahead` finds nothing in.

        Args:
            network: trained, in evaluation mode.
            x: a batch, from whose first step the sizes of the states are known.
        """
        super().__init__()
        assert not looks_ahead(network), "a network that looks ahead"
        network = copy.deepcopy(network)
        network.carries = True
        with torch.no_grad():
            _, ends = network(x[:1, :1], torch.ones(1, dtype=torch.int64))
        learned = network.learned_start() or [end[0, 0] * 0 for end in ends]
        self.pooling = network.pooling
        pooled: list[list[float]] = [] if self.pooling is None else self.pooling.begin()  # type: ignore[operator]
        self.begin = [*pooled, *(part_U.tolist() for part_U in learned)]
        """What each state starts from, unit by unit."""
        self._num_pooled = len(pooled)
        network.encoder.layers = nn.ModuleList(_Held(layer) for layer in network.encoder.layers)
        self.network = network

    def forward(
        self, x: Tensor, lengths_B: Tensor, states: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Goes on with a piece of each stream."""
        steps = Steps(x, lengths_B)
        pooled, state = list(states[: self._num_pooled]), list(states[self._num_pooled :])
        x_BTF = self.network.inputs(x, steps)
        if self.network.convolution is not None:
            x_BTF, _ = self.network.convolution(x_BTF, steps, None)
        (h,), ends = self.network.encoder(x_BTF, steps, state)
        if self.pooling is not None:
            h, pooled = self.pooling.advance(pooled, h, steps)  # type: ignore[operator]
        return self.network.read_off(h), [*pooled, *ends]


class _Held(nn.Module):
    """A layer of one direction that keeps the state after each row's own last step."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        (self.cell,), (self.normalise,) = layer.cells, layer.norms  # type: ignore[misc]

    def forward(
        self, x_BTI: Tensor, steps: Steps, state: Sequence[Tensor], side_BS: None
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Called as `Layer` is, always with a state."""
        given = state[0] if len(state) == 1 else tuple(state)
        if isinstance(self.cell, nn.RNNBase):
            h_BTH, end = self._packed(x_BTI, steps, given)
        else:
            h_BTH, end = self.cell.held(x_BTI, given, steps.given_B)
        ends = [end] if isinstance(end, Tensor) else list(end)
        # A packed row has at least one step.
        kept = [
            before.where(steps.empty_B1, after) for before, after in zip(state, ends, strict=True)
        ]
        return [self.normalise(h_BTH, steps)], kept

    def _packed(
        self, x_BTI: Tensor, steps: Steps, state: Tensor | tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor | tuple[Tensor, ...]]:
        """In a graph packing becomes an input of the operator, which asks for no order."""
        tracing = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        packed = pack_padded_sequence(
            x_BTI, steps.lengths_B, batch_first=True, enforce_sorted=tracing
        )
        outputs, end = self.cell(packed, state)
        num_steps = None if tracing else x_BTI.shape[1]
        h_BTH, _ = pad_packed_sequence(outputs, batch_first=True, total_length=num_steps)
        return h_BTH, end


def looks_ahead(module: nn.Module) -> list[tuple[str, str]]:
    """Why a network cannot read piece by piece: what must hold, and what it has instead."""
    if not isinstance(module, Network):
        return [("the model must be one network of a shipped architecture", type(module).__name__)]
    found = []
    layers = list(module.encoder.layers)
    cells = [cell for layer in layers for cell in layer.cells]  # type: ignore[union-attr]
    if len(cells) > len(layers):
        found.append(("`model/directions` must be 1", "2, one of which begins at the end"))
    if foreign := [c for c in cells if not isinstance(c, nn.RNNBase) and not hasattr(c, "held")]:
        rule = "`model/cell` must tell the state after each row's last step, by a method `held`"
        found.append((rule, type(foreign[0]).__name__))
    if module.subsampling is not None:
        found.append(("`data/subsampling` must be 1", "one that sees the steps around it"))
    if module.convolution is not None and module.convolution.sees_ahead:
        steps = module.convolution.reach // 2
        found.append(("`model/convolution` must be 0", f"one that sees {steps} steps ahead"))
    if module.side is not None:
        found.append(("what is read must be a sequence alone", "one with a second input"))
    if module.pictures is not None:
        found.append(("what is read must be steps", "a picture, which is read as a whole"))
    if module.attention is not None:
        found.append(("`model/attention_layer` must be false", "one that sees all steps"))
    if module.pooling is not None and not hasattr(module.pooling, "advance"):
        rule = "`model/pooling` must be one that can go on, such as last, mean or max"
        found.append((rule, f"{type(module.pooling).__name__}, which weighs all steps at once"))
    if module.following:
        found.append(("the task must answer a sequence as it is", "one of what follows"))
    if module.transitions is not None:
        found.append(("`model/crf` must be false", "a best path that the last step decides"))
    return found
