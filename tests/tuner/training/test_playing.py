"""What plays a step at a time says what it would say of the whole episode."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, SettingsRefused, Shape
from tuner.training.playing import policy

SHAPE = Shape(3, 2, per_step=True, looks_back=True)


def network(**values: Any) -> torch.nn.Module:
    config = RecurrentConfig(hidden_size=7, **values)
    return build(config, InitializationConfig(), Dropouts(), SHAPE, seed=3).eval()


@pytest.mark.parametrize(
    "values",
    [
        {"cell": "gru", "layers": 2},
        {"cell": "lstm", "initial_state": "learned"},
        {"cell": "layer_norm_lstm", "norm": "layer"},
    ],
)
def test_steps_with_their_state_give_what_the_whole_gives(values: dict[str, Any]) -> None:
    module = network(**values)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    x_BTI = torch.randn(4, 9, 3)
    lengths_B = torch.tensor([9, 4, 1, 6])
    with torch.no_grad():
        expected = module(x_BTI, lengths_B).numpy()
    step, state, found = policy(module), None, []
    for t in range(9):
        alive_B = (lengths_B > t).long().numpy()
        y_B1O, state = step(x_BTI[:, t : t + 1].numpy(), alive_B, state)
        found.append(y_B1O[:, 0])
    for b, length in enumerate(lengths_B.tolist()):
        np.testing.assert_allclose(
            np.stack(found, axis=1)[b, :length], expected[b, :length], rtol=1e-4, atol=1e-5
        )


def test_what_is_trained_on_does_not_move_what_plays() -> None:
    module = network(cell="gru")
    step = policy(module)
    x_B1I = np.ones((2, 1, 3), dtype=np.float32)
    before, _ = step(x_B1I, np.ones(2, dtype=np.int64), None)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1.0)
    after, _ = step(x_B1I, np.ones(2, dtype=np.int64), None)
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("values", [{"directions": 2}, {"attention_layer": True}])
def test_a_network_that_looks_ahead_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(SettingsRefused):
        network(**values)
