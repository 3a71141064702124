"""Every optimizer: trains, is restored exactly, decays weights and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch

from tuner import registry


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.classification(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("name", registry.names("optimizers"))
def test_lowers_the_training_loss(data: Path, tmp_path: Path, name: str) -> None:
    found = made.fit(data, tmp_path, {"optimizer/name": name, "optimizer/lr": 0.01})
    losses = [found.epoch(number, [])["train_loss"] for number in range(1, 11)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", registry.names("optimizers"))
def test_decay_is_decoupled_and_spares_biases(data: Path, tmp_path: Path, name: str) -> None:
    values = {"optimizer/name": name, "optimizer/lr": 0.01, "training/clip_value": 1e-12}
    values["optimizer/weight_decay"] = 0.0
    plain = made.fit(data, tmp_path / "plain", values)
    decayed = made.fit(data, tmp_path / "decayed", values | {"optimizer/weight_decay": 0.5})
    before = {n: p.detach().clone() for n, p in plain.module.named_parameters()}
    places = np.arange(16)
    for each in (plain, decayed):
        each._set_rate(0.0, [])
        each.step(places)
    ours, theirs = dict(plain.module.named_parameters()), dict(decayed.module.named_parameters())
    for parameter_name, start in before.items():
        taken = ours[parameter_name] - theirs[parameter_name]
        share = 0.005 if start.ndim >= 2 else 0.0
        torch.testing.assert_close(taken, share * start, rtol=1e-3, atol=1e-6)


def grouped(make: Any, decay: float, **options: Any) -> Any:
    """torch's own optimizer, with its own decay on weights alone."""

    def of(weights: list[Any], spared: list[Any]) -> torch.optim.Optimizer:
        made: torch.optim.Optimizer = make(
            [{"params": weights, "weight_decay": decay}, {"params": spared, "weight_decay": 0.0}],
            lr=0.01,
            **options,
        )
        return made

    return of


OWN = {
    "sgd": ({}, grouped(torch.optim.SGD, 0)),
    "asgd": ({}, grouped(torch.optim.SGD, 0)),
    "momentum": ({}, grouped(torch.optim.SGD, 0, momentum=0.9)),
    "nesterov": (
        {"optimizer/name": "momentum", "optimizer/nesterov": True},
        grouped(torch.optim.SGD, 0, momentum=0.9, nesterov=True),
    ),
    "adam": ({}, grouped(torch.optim.Adam, 0)),
    "adamw": ({}, grouped(torch.optim.AdamW, 0.01)),
    "rmsprop": (
        {"optimizer/momentum": 0.5},
        grouped(torch.optim.RMSprop, 0, alpha=0.99, momentum=0.5),
    ),
}
"""Every shipped method: what a spec says, and torch's own of the same settings."""


def test_no_shipped_optimizer_goes_unproven() -> None:
    assert set(OWN) >= set(registry.names("optimizers"))


@pytest.mark.parametrize("name", OWN)
def test_steps_are_those_of_the_method(data: Path, tmp_path: Path, name: str) -> None:
    values, own = OWN[name]
    values = {"optimizer/name": name, "optimizer/lr": 0.01, **values}
    ours, theirs = (made.fit(data, tmp_path / side, values) for side in ("ours", "theirs"))
    spared = [p for p in theirs.parameters if all(p is not w for w in theirs.weights)]
    optimizer = own(theirs.weights, spared)
    ours._set_rate(0.0, [])
    for start in range(0, 40, 8):
        places = np.arange(start, start + 8)
        ours.step(places)
        optimizer.zero_grad()
        batch = theirs.train.take(places)
        theirs.task.loss(theirs.module(batch.inputs, batch.lengths), batch).div(8).backward()
        optimizer.step()
    for mine, other in zip(ours.parameters, theirs.parameters, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", registry.names("optimizers"))
@pytest.mark.parametrize(("scaling", "expected"), [("none", 1.0), ("sqrt", 2.0), ("linear", 4.0)])
def test_the_rate_scales_with_the_batch(
    data: Path, tmp_path: Path, name: str, scaling: str, expected: float
) -> None:
    values = {"optimizer/name": name, "optimizer/lr": 0.001, "optimizer/lr_scaling": scaling}
    found = made.fit(data, tmp_path, values | {"training/batch_size": 128})
    assert found.epoch(1, [])["lr"] == pytest.approx(0.001 * expected)
    assert [group["lr"] for group in found.optimizer.param_groups] == [
        pytest.approx(0.001 * expected)
    ]
    as_searched = made.fit(data, tmp_path / "32", values | {"training/batch_size": 32})
    assert as_searched.epoch(1, [])["lr"] == pytest.approx(0.001)
