"""Norms layer by layer, and the notes on made vanishing, exploding and healthy runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch

from tuner.errors import Diverged
from tuner.training.gradients import IN_TIME, LARGEST, TOTAL, note
from tuner.training.rank import Rank

HEALTHY = {"model/layers": 2, "optimizer/lr": 0.01, "training/epochs": 5}
VANISHING = HEALTHY | {"model/cell": "rnn", "model/layers": 3}
EXPLODING = {
    "model/cell": "rnn_relu",
    "optimizer/name": "momentum",
    "optimizer/lr": 3.0,
    "training/epochs": 5,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.classification(tmp_path_factory.mktemp("data"))


def noted(data: Path, folder: Path, values: dict[str, Any], shrink: str = "") -> str:
    """What a run says, its weights of some name made tiny before it starts."""
    rank = Rank("cpu", 1)
    rank.start(made.job(data, folder, values))
    assert rank._trial is not None
    for name, parameter in rank._trial.fits[0].module.named_parameters():
        if shrink and shrink in name:
            with torch.no_grad():
                parameter.mul_(1e-3)
    while not rank.epoch().ended:
        pass
    return rank.note()


def test_a_healthy_run_goes_unnoted(data: Path, tmp_path: Path) -> None:
    assert noted(data, tmp_path, HEALTHY) == ""


def test_gradients_that_vanish_in_depth_are_named(data: Path, tmp_path: Path) -> None:
    values = VANISHING | {"optimizer/lr": 1e-6}
    assert noted(data, tmp_path, values, "weight_ih").startswith("vanishing: the lowest layer's")


def test_gradients_that_vanish_in_time_are_named(data: Path, tmp_path: Path) -> None:
    values = VANISHING | {"model/layers": 1, "optimizer/lr": 1e-6}
    found = noted(data, tmp_path, values, "weight_hh")
    assert found.startswith("vanishing: the first step's gradient is")


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_gradients_that_explode_are_named_in_runs_that_end_and_in_those_that_diverge(
    data: Path, tmp_path: Path, clip: float
) -> None:
    rank = Rank("cpu", 1)
    rank.start(made.job(data, tmp_path, EXPLODING | {"training/clip_norm": clip}))
    try:
        while not rank.epoch().ended:
            pass
    except Diverged:
        assert not clip
    assert rank.note().startswith("exploding: a step's gradient was")


def test_norms_are_those_before_clipping(data: Path, tmp_path: Path) -> None:
    values = {"optimizer/name": "sgd", "training/batch_size": 64, "model/layers": 2}
    free = made.fit(data, tmp_path / "free", values)
    clipped = made.fit(data, tmp_path / "clipped", values | {"training/clip_norm": 1e-3})
    figures = free.epoch(1, [])
    assert clipped.epoch(1, [])[TOTAL] == pytest.approx(figures[TOTAL])
    by_name = {name: p.grad for name, p in free.module.named_parameters()}
    for layer in ("encoder.layers.0", "encoder.layers.1", "head"):
        mine = [g for n, g in by_name.items() if n.startswith(f"{layer}.") and g is not None]
        expected = torch.cat([g.flatten() for g in mine]).norm().item()
        assert figures[f"grad_norm/{layer}"] == pytest.approx(expected, rel=1e-5)
    whole = torch.cat([g.flatten() for g in by_name.values() if g is not None]).norm().item()
    assert figures[TOTAL] == figures[LARGEST] == pytest.approx(whole, rel=1e-5)


def test_the_way_through_time_is_measured_at_both_ends(data: Path, tmp_path: Path) -> None:
    values = {"optimizer/name": "sgd", "training/batch_size": 64}
    fit = made.fit(data, tmp_path, values)
    twin = made.fit(data, tmp_path, values)
    batch = twin.train.take(np.arange(len(twin.train)))
    x_BTF = batch.inputs.clone().requires_grad_()
    twin.task.loss(twin.module(x_BTF, batch.lengths), batch).backward()
    assert x_BTF.grad is not None
    long = [(g[0], g[n - 1]) for g, n in zip(x_BTF.grad, batch.lengths, strict=True) if n > 1]
    first, last = (torch.stack([pair[end] for pair in long]).norm().item() for end in (0, 1))
    assert fit.epoch(1, [])[IN_TIME] == pytest.approx(first / last, rel=1e-4)


def test_many_layers_are_told_by_the_lowest_and_the_highest(data: Path, tmp_path: Path) -> None:
    fit = made.fit(data, tmp_path, {"model/layers": 8, "model/pooling": "attention"})
    told = [n for n in fit.epoch(1, []) if n.startswith("grad_norm/")]
    layers = [n for n in told if n not in (TOTAL, LARGEST, IN_TIME)]
    assert len(layers) == 8
    assert layers[0] == "grad_norm/encoder.layers.0" and layers[-1] == "grad_norm/head"


def test_a_loss_that_is_learnt_is_no_explosion_but_a_spike_is() -> None:
    def epochs(*norms: tuple[float, float]) -> list[dict[str, float]]:
        return [{TOTAL: total, LARGEST: largest} for total, largest in norms]

    assert note(epochs((10, 50), (1, 5), (0.01, 0.1), (0.001, 0.1))) == ""
    assert note(epochs((1, 2), (1, 150))) == (
        "exploding: a step's gradient was 2e+02 times the usual one"
    )
    assert note(epochs((1, 2), (0, 3.5e38))) == "exploding: a step's gradient was not finite"
    assert note([]) == ""
