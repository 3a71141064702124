"""Every optimizer: trains, is restored exactly, decays weights and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch

from tuner import registry
from tuner.training.rank import Rank


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.classification(tmp_path_factory.mktemp("data"))


def fit(data: Path, folder: Path, values: dict[str, Any]) -> Any:
    rank = Rank("cpu", 1)
    rank.start(made.job(data, folder, values))
    assert rank._trial is not None
    return rank._trial.fits[0]


@pytest.mark.parametrize("name", registry.names("optimizers"))
def test_lowers_the_training_loss(data: Path, tmp_path: Path, name: str) -> None:
    found = fit(data, tmp_path, {"optimizer/name": name, "optimizer/lr": 0.01})
    losses = [found.epoch(number, [])["train_loss"] for number in range(1, 11)]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", registry.names("optimizers"))
def test_decay_is_decoupled_and_spares_biases(data: Path, tmp_path: Path, name: str) -> None:
    values = {"optimizer/name": name, "optimizer/lr": 0.01, "training/clip_value": 1e-12}
    values["optimizer/weight_decay"] = 0.0
    plain = fit(data, tmp_path / "plain", values)
    decayed = fit(data, tmp_path / "decayed", values | {"optimizer/weight_decay": 0.5})
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
