"""Dropping units, steps alike or each for itself, and dropping recurrent weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_KERNELS = {
    "GRU": torch.gru,
    "RNN_TANH": torch.rnn_tanh,
    "RNN_RELU": torch.rnn_relu,
}


def drop(x: Tensor, share: float, *, training: bool, locked: bool = False) -> Tensor:
    """Drops a share of units and scales the rest up; `x` itself outside training.

    Args:
        x: x_BTF, or x_BF.
        share: of units, in [0, 1).
        training: else nothing is dropped.
        locked: each sequence has one mask for all its steps (Gal and Ghahramani, 2016).
    """
    if not (share and training):
        return x
    if not (locked and x.dim() == 3):
        return F.dropout(x, share)
    return x * F.dropout(x.new_ones(x.shape[0], 1, x.shape[2]), share)


def run_with_dropped_weights(
    cell: nn.Module, x_BTI: Tensor, state: Sequence[Tensor], share: float
) -> tuple[Tensor, Tensor | tuple[Tensor, ...]]:
    """A cell's pass with one mask on its hidden-to-hidden weights (Merity et al., 2018).

    The whole weights stay the parameters. torch's layers are called by their own kernels, so that
    an LSTM keeps oneDNN: a parametrization would leave dropped weights behind in the module.
    """
    dropped = {
        name: F.dropout(parameter, share)
        for name, parameter in cell.named_parameters()
        if name.rpartition(".")[2].startswith("weight_hh")
    }
    if not isinstance(cell, nn.RNNBase):
        given = (x_BTI, state[0] if len(state) == 1 else tuple(state)) if state else (x_BTI,)
        outputs: tuple[Tensor, Tensor] = torch.func.functional_call(cell, dropped, given)
        return outputs
    weights = [dropped.get(name, p) for name, p in cell.named_parameters()]
    if not state:
        parts = 2 if cell.mode == "LSTM" else 1
        state = [x_BTI.new_zeros(1, x_BTI.shape[0], cell.hidden_size)] * parts
    # Biases, one layer, no dropout between layers, training, one direction, batch first.
    how = (True, 1, 0.0, True, False, True)
    if cell.mode == "LSTM":
        h_BTH, *end = torch.lstm(x_BTI, list(state), weights, *how)
        return h_BTH, tuple(end)
    return _KERNELS[cell.mode](x_BTI, state[0], weights, *how)
