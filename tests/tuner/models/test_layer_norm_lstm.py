"""The layer-normalised LSTM against its equations, one step at a time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from tuner.models.layer_norm_lstm import LayerNormLSTM


def test_it_follows_its_equations() -> None:
    """Ba, Kiros and Hinton (2016), equations 20 to 22, with two nn.LayerNorm's per step."""
    torch.manual_seed(0)
    cell = LayerNormLSTM(3, 5).double()
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter += torch.randn_like(parameter) * 0.1
    x_BTI = torch.randn(2, 4, 3, dtype=torch.float64)
    h_BH = c_BH = torch.zeros(2, 5, dtype=torch.float64)
    expected: list[Tensor] = []
    for x_BI in x_BTI.unbind(1):
        gates_BG = (
            layer_norm(x_BI @ cell.weight_ih_l0.T, [20], cell.scale_ih_l0)
            + layer_norm(h_BH @ cell.weight_hh_l0.T, [20], cell.scale_hh_l0)
            + cell.bias_ih_l0
        )
        i_BH, f_BH, g_BH, o_BH = gates_BG.split(5, dim=1)
        c_BH = torch.sigmoid(f_BH) * c_BH + torch.sigmoid(i_BH) * torch.tanh(g_BH)
        normal_BH = layer_norm(c_BH, [5], cell.scale_cell, cell.bias_cell)
        h_BH = torch.sigmoid(o_BH) * torch.tanh(normal_BH)
        expected.append(h_BH)

    h_BTH, (end_1BH, cell_1BH) = cell(x_BTI)

    torch.testing.assert_close(h_BTH, torch.stack(expected, dim=1))
    torch.testing.assert_close(end_1BH[0], h_BH)
    torch.testing.assert_close(cell_1BH[0], c_BH)


def test_a_scaled_input_changes_nothing_but_its_direction() -> None:
    """What makes it differ from a plain LSTM."""
    cell, plain = LayerNormLSTM(3, 5), torch.nn.LSTM(3, 5, batch_first=True)
    x_BTI = torch.randn(2, 4, 3)

    torch.testing.assert_close(cell(x_BTI)[0], cell(50 * x_BTI)[0], rtol=1e-2, atol=1e-3)
    assert not torch.allclose(plain(x_BTI)[0], plain(50 * x_BTI)[0], atol=0.1)
