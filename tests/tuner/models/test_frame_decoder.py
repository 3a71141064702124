"""A decoder of frames: its window, step by step and all at once, its size and its dropout."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tuner.models.architectures.recurrent import RecurrentConfig, num_parameters
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape
from tuner.models.synthesizer import Synthesizer
from tuner.models.window import Window

SHAPE = Shape(0, 4, vocabulary=9, pace=0.4)
X_BTK = torch.tensor([[[3], [4], [5], [2]], [[6], [7], [0], [0]]])
LENGTHS_B = torch.tensor([4, 2])
FRAMES_BUM = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(3))


def network(dropouts: Dropouts | None = None, **options: Any) -> Synthesizer:
    config = RecurrentConfig.model_validate({"hidden_size": 6, "embedding": 5} | options)
    made = build(config, InitializationConfig(), dropouts or Dropouts(), SHAPE, seed=1)
    assert isinstance(made, Synthesizer)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(2)
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    made.most = 9
    return made.eval()


def test_a_window_is_a_mixture_of_normal_densities_that_moves_on() -> None:
    torch.manual_seed(0)
    module, h_BH = Window(6, 0.7), torch.randn(2, 6)
    place_BK = torch.tensor([[0.5, 1, 2, 3, 4], [0, 0, 0, 0, 0]])
    seen_BT = torch.tensor([[True] * 6, [True] * 4 + [False] * 2])
    whole_BK = place_BK.floor()
    place_BP = torch.cat([whole_BK, place_BK - whole_BK], dim=1)
    weight_BT, moved_BP = module(h_BH, place_BP, seen_BT)
    moved_BK = moved_BP[:, :5] + moved_BP[:, 5:]
    share_BK, move_BK, spread_BK = module.ask(h_BH).chunk(3, dim=1)
    expected_BK = place_BK + 0.7 / math.log(2) * F.softplus(move_BK)
    torch.testing.assert_close(moved_BK, expected_BK)
    torch.testing.assert_close(moved_BP[:, :5], expected_BK.floor())
    bells = torch.distributions.Normal(expected_BK, 0.4 + F.softplus(spread_BK))
    for t in range(6):
        density_BK = bells.log_prob(torch.full((2, 5), float(t))).exp()
        expected_B = (share_BK.softmax(1) * density_BK).sum(1) * seen_BT[:, t]
        torch.testing.assert_close(weight_BT[:, t], expected_B)


def test_an_untrained_window_keeps_pace_and_never_goes_back() -> None:
    module = Window(6, 0.7)
    torch.nn.init.zeros_(module.ask.bias)
    place_BP, seen_BT = torch.zeros(1, 10), torch.ones(1, 12, dtype=torch.bool)
    for _ in range(10):
        _, place_BP = module(torch.zeros(1, 6), place_BP, seen_BT)
    place_BK = place_BP[:, :5] + place_BP[:, 5:]
    assert place_BK.tolist() == [pytest.approx([7.0] * 5)]
    for scale in (1, 10, 100):
        _, moved_BP = module(scale * torch.randn(1, 6), place_BP, seen_BT)
        assert (moved_BP[:, :5] + moved_BP[:, 5:] >= place_BK).all()


def test_far_on_a_window_moves_as_finely_as_at_the_start() -> None:
    """A float32 of some thousands has steps of 2e-4: moves of 1e-4 would be lost in it."""
    module, seen_BT = Window(6, 1e-4), torch.ones(1, 2, dtype=torch.bool)
    torch.nn.init.zeros_(module.ask.bias)
    place_BP = torch.cat([torch.full((1, 5), 4000.0), torch.zeros(1, 5)], dim=1)
    for _ in range(100):
        _, place_BP = module(torch.zeros(1, 6), place_BP, seen_BT)
    assert place_BP.tolist() == [pytest.approx([4000.0] * 5 + [0.01] * 5, rel=1e-4)]


@pytest.mark.parametrize("per_step", [1, 2, 3, 7, 9])
@pytest.mark.parametrize("cell", ["lstm", "gru", "layer_norm_lstm"])
def test_all_steps_at_once_are_step_after_step(cell: str, per_step: int) -> None:
    module = network(cell=cell, layers=2, directions=2, frames_per_step=per_step)
    with torch.no_grad():
        y_BUO, _, _ = module(X_BTK, LENGTHS_B, FRAMES_BUM)
        encoded = module.encode(X_BTK, LENGTHS_B)
        state, last_BM, found = encoded.state, torch.zeros(2, 3), []
        for begin in range(0, 7, per_step):
            y_BSO, state, _ = module.decoder.step(last_BM, encoded.kept, encoded.seen_BT, state)
            found.append(y_BSO)
            last_BM = FRAMES_BUM[:, min(begin + per_step, 7) - 1]
    assert y_BUO.shape == (2, 7, 4)
    torch.testing.assert_close(torch.cat(found, dim=1)[:, :7], y_BUO)


def test_what_is_given_freely_follows_from_itself() -> None:
    module = network(frames_per_step=2)
    with torch.no_grad():
        module.decoder.head.bias.fill_(-9.0)
        _, given_BLM, lengths_B = module(X_BTK, LENGTHS_B, FRAMES_BUM)
        assert lengths_B.tolist() == [9, 9] and given_BLM.shape == (2, 9, 3)
        y_BUO, _, _ = module(X_BTK, LENGTHS_B, given_BLM)
    torch.testing.assert_close(y_BUO[:, :, :3], given_BLM)


def test_neither_padding_nor_neighbours_change_what_is_given() -> None:
    module = network(frames_per_step=3, directions=2)
    with torch.no_grad():
        _, given_BLM, lengths_B = module(X_BTK, LENGTHS_B, FRAMES_BUM)
        dirty = X_BTK.clone()
        dirty[1, 2:] = 8
        _, beside_BLM, _ = module(dirty, LENGTHS_B, FRAMES_BUM)
        _, alone_BLM, alone_B = module(X_BTK[1:, :2], LENGTHS_B[1:], FRAMES_BUM[1:])
    torch.testing.assert_close(beside_BLM, given_BLM)
    assert alone_B.tolist() == lengths_B[1:].tolist()
    num = int(alone_B)
    torch.testing.assert_close(alone_BLM[0, :num], given_BLM[1, :num])


def test_frames_are_dropped_in_training_alone() -> None:
    """What is read of the last frame; without dropout training is evaluation."""
    for share in (0.0, 0.5):
        module = network(frame_dropout=share)
        with torch.no_grad():
            expected_BUO, _, _ = module(X_BTK, LENGTHS_B, FRAMES_BUM)
            torch.manual_seed(0)
            trained_BUO = module.train()(X_BTK, LENGTHS_B, FRAMES_BUM)
        assert torch.allclose(trained_BUO, expected_BUO) == (share == 0)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "layer_norm_lstm"])
@pytest.mark.parametrize(
    "options",
    [{}, {"layers": 2, "directions": 2, "norm": "layer", "frames_per_step": 5}, {"tied": True}],
    ids=str,
)
def test_the_formula_counts_what_is_built(cell: str, options: dict[str, Any]) -> None:
    for pooling in ("last", "attention", "last_max_mean"):
        config = RecurrentConfig(cell=cell, hidden_size=7, pooling=pooling, **options)
        module = build(config, InitializationConfig(), Dropouts(), SHAPE, seed=0)
        assert num_parameters(config, SHAPE) == sum(p.numel() for p in module.parameters())
