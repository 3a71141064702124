"""Weights start gate by gate, from the seed alone."""

from __future__ import annotations

import math

import pytest
import torch

from tuner import registry
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape

HIDDEN = 48
INPUTS = 32


def weights(
    cell: str, config: InitializationConfig | None = None, seed: int = 3
) -> dict[str, torch.Tensor]:
    model = RecurrentConfig(cell=cell, hidden_size=HIDDEN, pooling="attention", norm="layer")
    module = build(model, config or InitializationConfig(), Dropouts(), Shape(INPUTS, 2), seed=seed)
    return {name.rpartition(".")[2]: p for name, p in module.encoder.named_parameters()} | {
        name: p for name, p in module.named_parameters()
    }


@pytest.mark.parametrize("cell", registry.names("cells"))
def test_recurrent_weights_are_orthogonal_in_each_gate(cell: str) -> None:
    gates = weights(cell)["weight_hh_l0"].split(HIDDEN)

    assert len(gates) == len(registry.get("cells", cell).GATES)
    for gate_HH in gates:
        torch.testing.assert_close(gate_HH @ gate_HH.T, torch.eye(HIDDEN), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "method, deviation",
    [
        ("xavier", math.sqrt(2 / (INPUTS + HIDDEN))),
        ("he", math.sqrt(2 / INPUTS)),
        ("normal", math.sqrt(1 / INPUTS)),
        ("uniform", math.sqrt(1 / HIDDEN / 3)),
    ],
)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_input_weights_have_the_spread_of_one_gate(
    cell: str, method: str, deviation: float
) -> None:
    config = InitializationConfig(input=method)  # type: ignore[arg-type]

    for gate_HI in weights(cell, config)["weight_ih_l0"].split(HIDDEN):
        assert gate_HI.std().item() == pytest.approx(deviation, rel=0.1)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_what_is_normal_has_a_zero_mean_and_the_given_deviation(cell: str) -> None:
    config = InitializationConfig(input="normal", recurrent="normal", std=0.3)

    for name in ("weight_ih_l0", "weight_hh_l0"):
        weight = weights(cell, config)[name]
        assert weight.std().item() == pytest.approx(0.3, rel=0.1)
        assert weight.mean().item() == pytest.approx(0.0, abs=0.03)


def test_the_forget_bias_is_the_sum_of_both_biases() -> None:
    found = weights("lstm", InitializationConfig(forget_bias=1.5))

    total = found["bias_ih_l0"] + found["bias_hh_l0"]

    assert total[HIDDEN : 2 * HIDDEN].unique().tolist() == [1.5]
    assert total[:HIDDEN].abs().sum() == 0 and total[2 * HIDDEN :].abs().sum() == 0


@pytest.mark.parametrize("cell", ["gru", "rnn", "rnn_relu"])
def test_cells_without_a_forget_gate_start_unbiased(cell: str) -> None:
    found = weights(cell)

    assert found["bias_ih_l0"].abs().sum() == 0 and found["bias_hh_l0"].abs().sum() == 0


def test_head_attention_and_norm() -> None:
    found = weights("gru")

    assert found["head.weight"].abs().max() <= math.sqrt(6 / (HIDDEN + 2))
    assert found["head.bias"].abs().sum() == 0
    assert found["pooling.project.bias"].abs().sum() == 0
    assert found["encoder.layers.0.norms.0.weight"].unique().tolist() == [1.0]


def test_weights_follow_from_the_seed_and_leave_the_global_state_alone() -> None:
    torch.manual_seed(11)
    first = weights("lstm")
    after = torch.rand(1)
    torch.manual_seed(11)
    expected = torch.rand(1)
    again, other = weights("lstm"), weights("lstm", seed=4)

    assert torch.equal(after, expected)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["weight_ih_l0"], other["weight_ih_l0"])
