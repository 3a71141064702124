"""What one step does to the gradient: clipped, penalised, taken in pieces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch
from torch import Tensor

from tuner.config import TrialConfig
from tuner.refused_values import ValuesRefused

PLACES = np.arange(16)
SGD = {"optimizer/name": "sgd", "optimizer/lr": 1.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.classification(tmp_path_factory.mktemp("data"))


def taken(data: Path, folder: Path, values: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
    """What one step at rate 1 takes away, the weights before, and which of them are weights."""
    fit = made.fit(data, folder, SGD | values)
    before = torch.cat([p.detach().flatten().clone() for p in fit.parameters])
    fit._set_rate(0.0, [])
    fit.step(PLACES)
    after = torch.cat([p.detach().flatten() for p in fit.parameters])
    num_weights = sum(w.numel() for w in fit.weights)
    return before - after, before, torch.arange(len(before)) < num_weights


def test_clipping_by_norm_bounds_the_step_and_keeps_its_direction(
    data: Path, tmp_path: Path
) -> None:
    free, *_ = taken(data, tmp_path, {})
    clipped, *_ = taken(data, tmp_path, {"training/clip_norm": 0.01})
    assert free.norm() > 0.02
    torch.testing.assert_close(clipped, free * 0.01 / free.norm(), rtol=1e-3, atol=1e-6)


def test_clipping_by_value_bounds_every_entry(data: Path, tmp_path: Path) -> None:
    free, *_ = taken(data, tmp_path, {})
    clipped, *_ = taken(data, tmp_path, {"training/clip_value": 0.01})
    assert (free.abs() > 0.011).any()
    torch.testing.assert_close(clipped, free.clamp(-0.01, 0.01), rtol=1e-3, atol=1e-6)


def test_l1_adds_the_sign_of_each_weight_to_its_gradient(data: Path, tmp_path: Path) -> None:
    free, before, is_weight = taken(data, tmp_path, {})
    l1, *_ = taken(data, tmp_path, {"regularization/l1": 0.1})
    assert before[is_weight].abs().min() > 0
    torch.testing.assert_close(l1 - free, 0.1 * before.sign() * is_weight, rtol=0, atol=1e-5)


def test_l2_adds_each_weight_to_its_gradient(data: Path, tmp_path: Path) -> None:
    free, before, is_weight = taken(data, tmp_path, {})
    l2, *_ = taken(data, tmp_path, {"regularization/l2": 0.1})
    assert before[is_weight].abs().max() > 0.01
    torch.testing.assert_close(l2 - free, 0.1 * before * is_weight, rtol=0, atol=1e-5)


EVERYTHING = {
    "model/layers": 2,
    "model/directions": 2,
    "model/norm": "layer",
    "regularization/activation": 2.0,
    "regularization/temporal_activation": 1.0,
    "regularization/l1": 1e-4,
    "training/clip_norm": 0.5,
    "training/ema": 0.9,
}


@pytest.mark.parametrize(
    ("accumulate", "micro_batch"), [(2, None), (3, None), (16, None), (1, 3), (2, 3)]
)
def test_pieces_follow_the_curve_of_the_whole(
    data: Path, tmp_path: Path, accumulate: int, micro_batch: int | None
) -> None:
    whole = made.fit(data, tmp_path / "whole", EVERYTHING)
    values = EVERYTHING | {"training/accumulate": accumulate}
    pieces = made.fit(data, tmp_path / "pieces", values, micro_batch=micro_batch)
    seen: list[int] = []
    pieces.module.encoder.register_forward_pre_hook(
        lambda encoder, given: seen.append(len(given[0])) if encoder.training else None
    )
    for number in (1, 2, 3):
        ours, theirs = whole.epoch(number, []), pieces.epoch(number, [])
        for name in ours:
            assert theirs[name] == pytest.approx(ours[name], rel=1e-5, abs=1e-6), name
    with whole.scored(), pieces.scored():
        expected = whole.evaluate(whole.validation)
        assert pieces.evaluate(pieces.validation) == pytest.approx(expected, abs=1e-6)
    assert max(seen) == min(-(-16 // accumulate), micro_batch or 16)


def test_more_pieces_than_rows_are_refused() -> None:
    values = {"training/accumulate": 17, "training/batch_size": 16}
    with pytest.raises(ValuesRefused, match="at most `training/batch_size`"):
        TrialConfig.from_values(values, made.CLASSIFICATION)
