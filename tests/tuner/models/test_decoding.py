"""Horizons that are decoded step by step: what is read, and that the graph does the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from tuner.export.contents import About, Signature, TaskUsed
from tuner.export.write import write
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.decoding import Recursive, Seq2Seq
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape

HORIZON, PAST = 4, 6
X_BTI = torch.randn(3, PAST + HORIZON - 1, 5, generator=torch.Generator().manual_seed(3))
LENGTHS_B = torch.full((3,), PAST + HORIZON - 1)


def network(outputs: int, seed: int = 0, **options: object) -> nn.Module:
    config = RecurrentConfig.model_validate({"hidden_size": 6, "layers": 2} | options)
    shape = Shape(5, outputs, per_step=True, carries=True)
    return build(config, InitializationConfig(), Dropouts(), shape, seed=seed).eval()


def recursive(cell: str = "lstm") -> Recursive:
    """Two channels of two levels each, the second of which is fed back."""
    return Recursive(network(4, cell=cell), HORIZON, answers=[1, 3]).eval()


def seq2seq(cell: str = "lstm") -> Seq2Seq:
    return Seq2Seq(network(2, cell=cell), network(2, 1, cell=cell), HORIZON).eval()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_each_step_is_forecast_from_the_forecast_before(cell: str) -> None:
    module, x_BTI = recursive(cell), X_BTI.clone()
    expected = []
    for step in range(HORIZON):
        # All from the start anew: no state is carried.
        read = x_BTI[:, : PAST + step]
        y_BTS, _ = module.network(read, torch.full((3,), read.shape[1]), None)
        expected.append(y_BTS[:, -1])
        if step < HORIZON - 1:
            x_BTI[:, PAST + step, :2] = y_BTS[:, -1, [1, 3]]
    torch.testing.assert_close(module(X_BTI, LENGTHS_B), torch.cat(expected, dim=1))


def test_the_truth_ahead_is_read_in_training_alone() -> None:
    module, other = recursive(), X_BTI.clone()
    other[:, PAST:, :2] += 1
    torch.testing.assert_close(module(other, LENGTHS_B), module(X_BTI, LENGTHS_B))
    module.train()
    trained, changed = (module(x, LENGTHS_B).unflatten(1, (HORIZON, 4)) for x in (X_BTI, other))
    assert torch.equal(trained[:, 0], changed[:, 0])
    assert not torch.isclose(trained[:, 1:], changed[:, 1:]).any()
    y_BTS, _ = module.network(X_BTI, LENGTHS_B, None)
    torch.testing.assert_close(trained, y_BTS[:, -HORIZON:])


@pytest.mark.parametrize("make", [recursive, seq2seq])
def test_what_is_known_ahead_is_read_up_to_its_step(make: type) -> None:
    module, other = make(), X_BTI.clone()
    other[:, PAST + 1, 2:] += 1
    before, after = (module(x, LENGTHS_B).unflatten(1, (HORIZON, -1)) for x in (X_BTI, other))
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.isclose(before[:, 2:], after[:, 2:]).any()


def test_a_decoder_begins_with_the_encoders_state() -> None:
    module = seq2seq()
    first_BTS, state = module.encoder(X_BTI[:, :PAST], torch.full((3,), PAST), None)
    others_BTS, _ = module.decoder(X_BTI[:, PAST:], torch.full((3,), HORIZON - 1), state)
    expected = torch.cat([first_BTS[:, -1:], others_BTS], dim=1).flatten(1)
    torch.testing.assert_close(module(X_BTI, LENGTHS_B), expected)
    afresh_BTS, _ = module.decoder(X_BTI[:, PAST:], torch.full((3,), HORIZON - 1), None)
    assert not torch.allclose(others_BTS, afresh_BTS)


@pytest.mark.parametrize("make", [recursive, seq2seq])
def test_every_weight_has_a_gradient(make: type) -> None:
    module = make().train()
    module(X_BTI, LENGTHS_B).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in module.parameters())


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("make", [recursive, seq2seq])
def test_its_graph_equals_it_at_any_length(tmp_path: Path, make: type, cell: str) -> None:
    """`write` refuses a graph that differs on batches of sizes and lengths never traced."""
    module = make(cell)
    outputs = module(X_BTI, LENGTHS_B).shape[1]
    about = About(
        name="made",
        trial=0,
        task=TaskUsed(name="forecasting"),
        parameters={},
        signature=Signature(inputs=5, outputs=outputs),
        preprocessing={},
    )
    bundle = write(tmp_path / "model", module, about, [(X_BTI, LENGTHS_B)])
    found = bundle.run(X_BTI.numpy(), LENGTHS_B.numpy())
    torch.testing.assert_close(torch.from_numpy(found), module(X_BTI, LENGTHS_B), atol=1e-5, rtol=0)
