"""A sequence's output is its own, whatever it is padded with and batched with."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch

from tuner import registry
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape

LENGTHS = [7, 1, 4, 2]
ONE_BLANK = torch.tensor([0])
KINDS = {
    "numbers": Shape(3, 2),
    "tokens": Shape(0, 2, vocabulary=9),
    "characters": Shape(0, 2, vocabulary=9, characters=6),
}
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


def network(
    config: RecurrentConfig, dropouts: Dropouts | None = None, shape: Shape = KINDS["numbers"]
) -> torch.nn.Module:
    return build(config, InitializationConfig(), dropouts or Dropouts(), shape, seed=1)


def batch(
    padding: float, extra: int = 0, shape: Shape = KINDS["numbers"]
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    size = (len(LENGTHS), max(LENGTHS))
    if shape.vocabulary:
        x = torch.randint(1, shape.vocabulary, (*size, 1), generator=generator)
        if shape.characters:
            spelled = torch.randint(0, shape.characters, (*size, 4), generator=generator)
            spelled = spelled.sort(dim=-1, descending=True).values  # padding on the right
            x = torch.cat([x, spelled], dim=-1)
    else:
        x = torch.randn(*size, shape.inputs, generator=generator)
    x = torch.cat([x, x.new_zeros(len(LENGTHS), extra, x.shape[2])], dim=1)
    for row, length in enumerate(LENGTHS):
        x[row, length:] = padding
    return x, torch.tensor(LENGTHS)


def precise(
    config: RecurrentConfig, shape: Shape, padding: float, extra: int = 0
) -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    """A network and a batch, in doubles where divisions by small deviations magnify rounding."""
    module = network(config, shape=shape)
    x, lengths_B = batch(padding, extra, shape)
    if config.cell == "layer_norm_lstm":
        module = module.double()
        x = x.double() if x.is_floating_point() else x
    return module, x, lengths_B


def agree_alone_and_padded(config: RecurrentConfig, shape: Shape) -> None:
    module, x, lengths_B = precise(config, shape, 0.0)
    module(x, lengths_B)  # moves the running statistics off their start
    module.eval()
    for row, length in enumerate(LENGTHS):
        x[row, length:] = 5 if shape.vocabulary else float("nan")

    together = module(x, lengths_B)

    for row, length in enumerate(LENGTHS):
        alone = module(x[row : row + 1, :length], lengths_B[row : row + 1])[0]
        found = together[row, :length] if shape.per_step else together[row]
        torch.testing.assert_close(found, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("config", STACKS, ids=lambda c: "-".join(map(str, vars(c).values())))
def test_alone_and_padded_give_the_same(config: RecurrentConfig, kind: str) -> None:
    agree_alone_and_padded(config, KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "config",
    [config for config in STACKS if config.pooling == "last"],
    ids=lambda c: "-".join(map(str, vars(c).values())),
)
def test_alone_and_padded_give_the_same_at_each_step(config: RecurrentConfig, kind: str) -> None:
    agree_alone_and_padded(config, replace(KINDS[kind], per_step=True))


FEATURES = [
    {"residual": True, "layers": 3},
    {"initial_state": "learned"},
    {"convolution": 5, "convolution_filters": 4},
    {"convolution": 1},
    {"attention_layer": True, "heads": 4},
    {"attention_layer": True, "convolution": 3, "layers": 2, "residual": True},
]


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("cell", registry.names("cells"))
@pytest.mark.parametrize("options", FEATURES, ids=str)
def test_alone_and_padded_give_the_same_with(
    options: dict[str, Any], cell: str, directions: int, kind: str, per_step: bool
) -> None:
    config = RecurrentConfig(
        **({"cell": cell, "hidden_size": 6, "directions": directions} | options)
    )
    agree_alone_and_padded(config, replace(KINDS[kind], per_step=per_step))


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("options", FEATURES, ids=str)
def test_training_does_not_see_padding_with(options: dict[str, Any], per_step: bool) -> None:
    config = RecurrentConfig(**({"hidden_size": 6, "directions": 2} | options))
    training_agrees_with_more_padding(config, replace(KINDS["numbers"], per_step=per_step))


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("norm", ["none", "layer", "batch"])
@pytest.mark.parametrize("cell", registry.names("cells"))
def test_training_does_not_see_padding(cell: str, norm: str, kind: str, per_step: bool) -> None:
    config = RecurrentConfig(cell=cell, hidden_size=6, layers=2, directions=2, norm=norm)
    training_agrees_with_more_padding(config, replace(KINDS[kind], per_step=per_step))


def training_agrees_with_more_padding(config: RecurrentConfig, shape: Shape) -> None:
    per_step = shape.per_step
    tight, x_tight, lengths_B = precise(config, shape, 0)
    loose, x_loose, _ = precise(config, shape, 4 if shape.vocabulary else 1e3, extra=5)
    valid = torch.arange(max(LENGTHS)) < lengths_B.unsqueeze(1)

    y_tight, y_loose = tight(x_tight, lengths_B), loose(x_loose, lengths_B)
    if per_step:
        y_tight, y_loose = y_tight[valid], y_loose[:, : max(LENGTHS)][valid]
    y_tight.square().mean().backward()
    y_loose.square().mean().backward()

    torch.testing.assert_close(y_loose, y_tight, rtol=1e-6, atol=1e-6)
    for (name, ours), theirs in zip(loose.named_parameters(), tight.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-5, msg=name)
    for (name, ours), theirs in zip(loose.named_buffers(), tight.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6, msg=name)


@pytest.mark.parametrize(
    "shape",
    [
        Shape(0, 9, vocabulary=9, characters=6, per_step=True),
        Shape(3, 2, per_step=True, crf=True),
    ],
    ids=["characters", "transitions"],
)
def test_a_placeholder_per_step_gives_every_weight_a_zero_gradient(shape: Shape) -> None:
    config = RecurrentConfig(cell="gru", hidden_size=6, layers=2, directions=2, tied=True)
    module = network(config, shape=shape)
    width = 5 if shape.vocabulary else shape.inputs

    outputs = module(torch.zeros(1, 3, width, dtype=batch(0, shape=shape)[0].dtype), ONE_BLANK)
    for output in outputs if isinstance(outputs, tuple) else (outputs,):
        (output * 0).sum().backward(retain_graph=True)

    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() == 0, name


@pytest.mark.parametrize(
    "options",
    [{"pooling": pooling} for pooling in registry.names("poolings")] + FEATURES,
    ids=str,
)
def test_a_placeholder_gives_every_weight_a_zero_gradient(options: dict[str, Any]) -> None:
    config = RecurrentConfig(
        **(
            {"cell": "gru", "hidden_size": 6, "layers": 2, "directions": 2, "norm": "batch"}
            | options
        )
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


@pytest.mark.parametrize("layers", [1, 2, 8])
@pytest.mark.parametrize(
    ("cell", "kind", "options"),
    [
        ("lstm", torch.nn.LSTM, {}),
        ("gru", torch.nn.GRU, {}),
        ("rnn", torch.nn.RNN, {}),
        ("rnn_relu", torch.nn.RNN, {"nonlinearity": "relu"}),
    ],
)
def test_each_step_equals_torch_on_a_packed_sequence(
    cell: str, kind: type[torch.nn.RNNBase], options: dict[str, str], layers: int
) -> None:
    config = RecurrentConfig(cell=cell, hidden_size=6, layers=layers, directions=2)
    module = network(config, shape=Shape(3, 2, per_step=True))
    reference = kind(3, 6, layers, batch_first=True, bidirectional=True, **options)
    reference.load_state_dict(
        {
            name.replace("_l0", f"_l{level}") + suffix: value
            for level, layer in enumerate(module.encoder.layers)
            for cell_, suffix in zip(layer.cells, ("", "_reverse"), strict=True)
            for name, value in cell_.state_dict().items()
        }
    )
    x_BTF, lengths_B = batch(0.0)
    pack, pad = torch.nn.utils.rnn.pack_padded_sequence, torch.nn.utils.rnn.pad_packed_sequence
    packed = pack(x_BTF, lengths_B, batch_first=True, enforce_sorted=False)

    h_BTJ, _ = pad(reference(packed)[0], batch_first=True)

    valid_BT = torch.arange(max(LENGTHS)) < lengths_B.unsqueeze(1)
    torch.testing.assert_close(
        module(x_BTF, lengths_B)[valid_BT], module.head(h_BTJ)[valid_BT], rtol=1e-5, atol=1e-5
    )


def test_transitions_start_at_zero_beside_the_outputs() -> None:
    module = network(RecurrentConfig(hidden_size=6), shape=Shape(3, 4, per_step=True, crf=True))

    y_BTO, transitions = module(*batch(0.0))

    assert y_BTO.shape == (4, 7, 4)
    assert transitions.shape == (6, 4) and transitions.abs().sum() == 0
    assert transitions is dict(module.named_parameters())["transitions"]


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
