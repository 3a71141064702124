"""The recurrence of the `layer_norm_lstm` cell.

B sequences, T steps, I inputs, H hidden units, G = 4H gates.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LayerNormLSTM(nn.Module):
    """x_BTI, or x_BTI and a state → (h_BTH, state), as nn.LSTM of one layer, batch first.

    All gates of a step are normalised together, what they read apart from what they remember,
    then the cell before it is put out: equations 20 to 22 of Ba, Kiros and Hinton (2016).
    Weights are stacked and named as torch's.
    """

    def __init__(self, inputs: int, hidden_size: int) -> None:
        super().__init__()
        gates = 4 * hidden_size
        bound = hidden_size**-0.5
        self.weight_ih_l0 = nn.Parameter(torch.empty(gates, inputs).uniform_(-bound, bound))
        self.weight_hh_l0 = nn.Parameter(torch.empty(gates, hidden_size).uniform_(-bound, bound))
        self.bias_ih_l0 = nn.Parameter(torch.zeros(gates))
        self.scale_ih_l0 = nn.Parameter(torch.ones(gates))
        self.scale_hh_l0 = nn.Parameter(torch.ones(gates))
        self.bias_cell = nn.Parameter(torch.zeros(hidden_size))
        self.scale_cell = nn.Parameter(torch.ones(hidden_size))

    def forward(
        self, x_BTI: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Reads all inputs at once, then steps through time."""
        return self._run(x_BTI, state, None)

    def held(
        self, x_BTI: Tensor, state: tuple[Tensor, Tensor], lengths_B: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The same, with the state after each row's own last step."""
        return self._run(x_BTI, state, lengths_B)

    def _run(
        self, x_BTI: Tensor, state: tuple[Tensor, Tensor] | None, lengths_B: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        hidden_size = self.weight_hh_l0.shape[1]
        read_BTG = F.linear(x_BTI, self.weight_ih_l0)
        read_BTG = F.layer_norm(read_BTG, [4 * hidden_size], self.scale_ih_l0, self.bias_ih_l0)
        if state is None:
            zero_1BH = x_BTI.new_zeros(1, x_BTI.shape[0], hidden_size)
            state = zero_1BH, zero_1BH
        tracing = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        walk = _walk if lengths_B is None else _walk_held
        h_BTH, h_BH, c_BH = (_scripted(walk) if tracing else walk)(
            read_BTG,
            state[0][0],
            state[1][0],
            self.weight_hh_l0,
            self.scale_hh_l0,
            self.scale_cell,
            self.bias_cell,
            hidden_size,
            *([] if lengths_B is None else [lengths_B]),
        )
        return h_BTH, (h_BH.unsqueeze(0), c_BH.unsqueeze(0))


def _step(
    read_BG: Tensor,
    h_BH: Tensor,
    c_BH: Tensor,
    weight_GH: Tensor,
    scale_G: Tensor,
    scale_H: Tensor,
    bias_H: Tensor,
    hidden_size: int,
) -> tuple[Tensor, Tensor]:
    """One step's output and cell state."""
    kept_BG = F.layer_norm(h_BH @ weight_GH.t(), [4 * hidden_size], scale_G)
    i_BH, f_BH, g_BH, o_BH = (read_BG + kept_BG).chunk(4, dim=1)
    c_BH = f_BH.sigmoid() * c_BH + i_BH.sigmoid() * g_BH.tanh()
    return o_BH.sigmoid() * F.layer_norm(c_BH, [hidden_size], scale_H, bias_H).tanh(), c_BH


def _walk(
    read_BTG: Tensor,
    h_BH: Tensor,
    c_BH: Tensor,
    weight_GH: Tensor,
    scale_G: Tensor,
    scale_H: Tensor,
    bias_H: Tensor,
    hidden_size: int,
) -> tuple[Tensor, Tensor, Tensor]:
    outputs: list[Tensor] = []
    for step in range(read_BTG.shape[1]):
        read_BG = read_BTG[:, step]
        h_BH, c_BH = _step(read_BG, h_BH, c_BH, weight_GH, scale_G, scale_H, bias_H, hidden_size)
        outputs.append(h_BH)
    return torch.stack(outputs, dim=1), h_BH, c_BH


def _walk_held(
    read_BTG: Tensor,
    h_BH: Tensor,
    c_BH: Tensor,
    weight_GH: Tensor,
    scale_G: Tensor,
    scale_H: Tensor,
    bias_H: Tensor,
    hidden_size: int,
    lengths_B: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    outputs: list[Tensor] = []
    for step in range(read_BTG.shape[1]):
        read_BG = read_BTG[:, step]
        output_BH, next_BH = _step(
            read_BG, h_BH, c_BH, weight_GH, scale_G, scale_H, bias_H, hidden_size
        )
        outputs.append(output_BH)
        counts_B1 = (lengths_B > step).unsqueeze(1)
        h_BH = torch.where(counts_B1, output_BH, h_BH)
        c_BH = torch.where(counts_B1, next_BH, c_BH)
    return torch.stack(outputs, dim=1), h_BH, c_BH


@cache
def _scripted(
    walk: Callable[..., tuple[Tensor, Tensor, Tensor]],
) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    """A loop that a trace keeps; a traced one would be unrolled at its length."""
    with warnings.catch_warnings():
        # Deprecated together with the exporter that traces; see tuner/export/onnx.py.
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted: Callable[..., tuple[Tensor, Tensor, Tensor]] = torch.jit.script(walk)
        return scripted
