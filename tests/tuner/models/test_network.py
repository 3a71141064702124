"""A sequence's output is its own, whatever it is padded with and batched with."""

from __future__ import annotations

import itertools

import pytest
import torch

from tuner import registry
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape

LENGTHS = [7, 1, 4, 2]
STACKS = [
    RecurrentConfig(
        cell=cell,
        hidden_size=6,
        layers=2,
        directions=directions,
        join=join,
        pooling=pooling,
        norm=norm,
    )
    for cell, pooling, norm in itertools.product(
        registry.names("cells"), registry.names("poolings"), ["none", "layer", "batch"]
    )
    for directions, join in [(1, "concat"), (2, "concat"), (2, "sum"), (2, "mean")]
]


def network(config: RecurrentConfig, dropouts: Dropouts | None = None) -> torch.nn.Module:
    return build(config, InitializationConfig(), dropouts or Dropouts(), Shape(3, 2), seed=1)


def batch(padding: float, extra: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    x_BTF = torch.randn(len(LENGTHS), max(LENGTHS), 3, generator=generator)
    x_BTF = torch.cat([x_BTF, torch.zeros(len(LENGTHS), extra, 3)], dim=1)
    for row, length in enumerate(LENGTHS):
        x_BTF[row, length:] = padding
    return x_BTF, torch.tensor(LENGTHS)


@pytest.mark.parametrize("config", STACKS, ids=lambda c: "-".join(map(str, vars(c).values())))
def test_alone_and_padded_give_the_same(config: RecurrentConfig) -> None:
    module = network(config)
    module(*batch(0.0))  # moves the running statistics off their start
    module.eval()
    x_BTF, lengths_B = batch(float("nan"))

    together_BO = module(x_BTF, lengths_B)

    for row, length in enumerate(LENGTHS):
        alone_BO = module(x_BTF[row : row + 1, :length], lengths_B[row : row + 1])
        torch.testing.assert_close(together_BO[row], alone_BO[0], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("norm", ["none", "layer", "batch"])
@pytest.mark.parametrize("cell", registry.names("cells"))
def test_training_does_not_see_padding(cell: str, norm: str) -> None:
    config = RecurrentConfig(cell=cell, hidden_size=6, layers=2, directions=2, norm=norm)
    tight, loose = network(config), network(config)

    y_tight_BO, y_loose_BO = tight(*batch(0.0)), loose(*batch(1e3, extra=5))
    y_tight_BO.square().sum().backward()
    y_loose_BO.square().sum().backward()

    torch.testing.assert_close(y_loose_BO, y_tight_BO, rtol=1e-6, atol=1e-6)
    for (name, ours), theirs in zip(loose.named_parameters(), tight.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-5, msg=name)
    for (name, ours), theirs in zip(loose.named_buffers(), tight.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6, msg=name)


@pytest.mark.parametrize("pooling", registry.names("poolings"))
def test_a_placeholder_gives_every_weight_a_zero_gradient(pooling: str) -> None:
    config = RecurrentConfig(
        cell="gru", hidden_size=6, layers=2, directions=2, norm="batch", pooling=pooling
    )
    module = network(config)

    y_BO = module(torch.full((1, 3, 3), 1e3), torch.tensor([0]))
    (y_BO * 0).sum().backward()

    assert y_BO.isfinite().all()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name  # else DDP would wait for it
        assert parameter.grad.abs().sum() == 0, name


def test_backward_direction_equals_torch_on_a_packed_sequence() -> None:
    """Against the independent implementation: a bidirectional nn.LSTM over packed sequences."""
    module = network(RecurrentConfig(hidden_size=6, directions=2, pooling="last"))
    assert isinstance(module.head, torch.nn.Linear)
    reference = torch.nn.LSTM(3, 6, batch_first=True, bidirectional=True)
    forward, backward = module.encoder.layers[0].cells
    reference.load_state_dict(
        {
            **forward.state_dict(),
            **{f"{name}_reverse": value for name, value in backward.state_dict().items()},
        }
    )
    x_BTF, lengths_B = batch(0.0)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        x_BTF, lengths_B, batch_first=True, enforce_sorted=False
    )

    _, (end_DBH, _) = reference(packed)

    expected_BO = module.head(torch.cat([end_DBH[0], end_DBH[1]], dim=-1))
    torch.testing.assert_close(module(x_BTF, lengths_B), expected_BO, rtol=1e-6, atol=1e-6)


def test_dropout_acts_between_layers_and_before_the_head_in_training_only() -> None:
    config = RecurrentConfig(cell="rnn", hidden_size=64, layers=1)
    dropped = network(config, Dropouts(dropout=0.5))
    kept = network(config)
    seen: list[torch.Tensor] = []
    dropped.head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    torch.manual_seed(0)

    dropped(*batch(0.0))
    assert (seen[0] == 0).float().mean() == pytest.approx(0.5, abs=0.15)
    dropped.eval()
    torch.testing.assert_close(dropped(*batch(0.0)), kept(*batch(0.0)))


def test_input_dropout_drops_inputs() -> None:
    config = RecurrentConfig(cell="rnn", hidden_size=4)
    module = network(config, Dropouts(input_dropout=0.5))
    seen: list[torch.Tensor] = []
    module.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    torch.manual_seed(0)

    module(torch.ones(8, 50, 3), torch.full((8,), 50))

    assert (seen[0] == 0).float().mean() == pytest.approx(0.5, abs=0.1)
    assert set(seen[0].unique().tolist()) == {0.0, 2.0}  # what is kept is scaled up
