"""A network that carries its state reads a stream in pieces as it would in one."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tuner import registry
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape

STREAM = Shape(0, 9, vocabulary=9, per_step=True, carries=True)
X_BTK = torch.randint(1, 9, (3, 8, 1), generator=torch.Generator().manual_seed(0))


def network(shape: Shape = STREAM, **options: object) -> torch.nn.Module:
    config = RecurrentConfig.model_validate({"hidden_size": 6, "layers": 2} | options)
    return build(config, InitializationConfig(), Dropouts(), shape, seed=1)


def lengths(x: torch.Tensor) -> torch.Tensor:
    return torch.full((len(x),), x.shape[1])


def read(module: torch.nn.Module, pieces: list[torch.Tensor]) -> torch.Tensor:
    state, outputs = None, []
    for piece in pieces:
        y_BTO, state = module(piece, lengths(piece), state)
        outputs.append(y_BTO)
    return torch.cat(outputs, dim=1)


@pytest.mark.parametrize("norm", ["none", "layer"])
@pytest.mark.parametrize("cell", registry.names("cells"))
def test_pieces_give_what_the_whole_gives(cell: str, norm: str) -> None:
    module = network(cell=cell, norm=norm)

    whole_BTO = read(module, [X_BTK])
    pieces_BTO = read(module, [X_BTK[:, :3], X_BTK[:, 3:4], X_BTK[:, 4:]])

    torch.testing.assert_close(pieces_BTO, whole_BTO, rtol=1e-5, atol=1e-5)
    afresh_BTO, _ = module(X_BTK[:, 4:], lengths(X_BTK[:, 4:]), None)
    assert not torch.allclose(whole_BTO[:, 4:], afresh_BTO, atol=1e-3)


@pytest.mark.parametrize("cell", registry.names("cells"))
def test_no_state_is_the_network_that_carries_none(cell: str) -> None:
    apart = Shape(0, 9, vocabulary=9, per_step=True)

    y_BTO, _ = network(cell=cell)(X_BTK, lengths(X_BTK), None)

    torch.testing.assert_close(network(apart, cell=cell)(X_BTK, lengths(X_BTK)), y_BTO)


@pytest.mark.parametrize("cell", registry.names("cells"))
def test_a_state_has_the_batch_as_its_second_dimension(cell: str) -> None:
    module = network(cell=cell)
    y_BTO, state = module(X_BTK, lengths(X_BTK), None)
    order_B = torch.tensor([2, 0, 1])

    moved = [part[:, order_B] for part in state]

    again_BTO, _ = module(X_BTK, lengths(X_BTK), state)
    moved_BTO, _ = module(X_BTK[order_B], lengths(X_BTK), moved)
    torch.testing.assert_close(moved_BTO, again_BTO[order_B])


@pytest.mark.parametrize(
    "options",
    [
        {"convolution": 5},
        {"convolution": 1},
        {"initial_state": "learned"},
        {"residual": True, "layers": 8},
    ],
    ids=str,
)
def test_pieces_give_what_the_whole_gives_with(options: dict[str, Any]) -> None:
    module = network(**options)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.1

    pieces_BTO = read(module, [X_BTK[:, :3], X_BTK[:, 3:4], X_BTK[:, 4:]])

    torch.testing.assert_close(pieces_BTO, read(module, [X_BTK]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"convolution": 5}, {"cell": "layer_norm_lstm"}], ids=str)
def test_an_output_sees_no_later_step(options: dict[str, Any]) -> None:
    module = network(**options)
    other_BTK = X_BTK.clone()
    other_BTK[:, 5:] = 1 + X_BTK[:, 5:] % 8

    y_BTO, other_BTO = read(module, [X_BTK]), read(module, [other_BTK])

    torch.testing.assert_close(y_BTO[:, :5], other_BTO[:, :5])
    assert not torch.allclose(y_BTO[:, 5:], other_BTO[:, 5:], atol=1e-4)


def test_what_is_pooled_carries_too() -> None:
    module = network(Shape(3, 2, carries=True), cell="gru", pooling="last")
    x_BTF = torch.randn(2, 5, 3)

    _, state = module(x_BTF[:, :2], torch.tensor([2, 2]), None)
    y_BO, _ = module(x_BTF[:, 2:], torch.tensor([3, 3]), state)

    torch.testing.assert_close(y_BO, module(x_BTF, torch.tensor([5, 5]), None)[0])
