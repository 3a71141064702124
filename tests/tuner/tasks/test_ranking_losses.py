"""Losses of a target beside drawn items are their formulas, and what is drawn is drawn fairly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tuner.data.augmentations._chance import Chance, keys
from tuner.data.ids import FIRST
from tuner.tasks._ranking_losses import Drawing, RankingLossConfig, sampled_losses

OWN, DRAWN = 0.7, [1.5, -0.3, 0.7, 2.0]
SAME = [False, False, True, False]
KEPT = np.array([1.5, -0.3, 2.0])


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def loss(name: str, log: float = 0.0, logs: list[float] | None = None) -> float:
    tensors = [torch.tensor([OWN]), torch.tensor([DRAWN]), torch.tensor([SAME])]
    tensors += [torch.tensor([log]), torch.tensor([logs or [0.0] * 4])]
    (found,) = sampled_losses(name, *tensors).tolist()
    return float(found)


WEIGHTS = np.exp(KEPT) / np.exp(KEPT).sum()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sampled_softmax", np.log(np.exp([OWN, *KEPT]).sum()) - OWN),
        ("bce", -np.log(sigmoid(np.array(OWN))) - np.log(1 - sigmoid(KEPT)).mean()),
        ("bpr", -np.log(sigmoid(OWN - KEPT)).mean()),
        ("top1_max", WEIGHTS @ (sigmoid(KEPT - OWN) + sigmoid(KEPT**2))),
    ],
)
def test_each_is_its_formula_and_leaves_the_target_itself_out(name: str, expected: float) -> None:
    assert loss(name) == pytest.approx(expected, rel=1e-5)


def test_a_sampled_softmax_corrects_for_how_often_each_is_drawn() -> None:
    logs = np.log([0.5, 0.1, 0.2, 0.2])
    scores = np.array([OWN - np.log(0.3), *(KEPT - logs[[0, 1, 3]])])
    expected = np.log(np.exp(scores).sum()) - scores[0]
    assert loss("sampled_softmax", float(np.log(0.3)), logs.tolist()) == pytest.approx(expected)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_items_are_drawn_by_a_power_of_their_counts(power: float) -> None:
    counts = np.array([90, 9, 1])
    drawing = Drawing(counts, RankingLossConfig(negatives=2000, popularity=power))
    drawn = drawing.draw(Chance(keys(3, torch.arange(20)), "loss"))
    share = np.bincount(drawn.flatten().numpy(), minlength=5)[FIRST:] / drawn.numel()
    expected = counts**power / (counts**power).sum()
    np.testing.assert_allclose(share, expected, atol=0.01)
    np.testing.assert_allclose(drawing.log_V[FIRST:], np.log(expected), rtol=1e-5)
