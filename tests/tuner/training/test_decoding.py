"""Forecasts that are decoded step by step learn, on one rank, from the data to the scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest

from tuner.config import TrialConfig, make_task
from tuner.data.store import Store
from tuner.memory import num_parameters
from tuner.training.fit import build_module
from tuner.training.rank import Rank

TASK: dict[str, Any] = {"name": "forecasting", "horizon": 6}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("series")
    rows = made.rich_series(length=300)
    # Nothing but the known column tells when a jump comes.
    rng = np.random.default_rng(0)
    for row in rows:
        row["sun"] = int(rng.random() < 0.3)
        row["load"] = float(row["load"]) + 5 * row["sun"]
    made.write_rows(folder / "rows.csv", rows)
    section = {"train": "rows.csv", "id": "name", "time": "time", "target": "load"}
    section |= {"features": ["load", "sun"], "known": ["sun"]}
    return made.prepared(folder, TASK, section)


@pytest.mark.parametrize("channels", ["mixed", "shared"])
@pytest.mark.parametrize("decoding", ["direct", "recursive", "seq2seq"])
def test_it_learns_what_is_known_ahead(
    data: Path, tmp_path: Path, decoding: str, channels: str
) -> None:
    values = {
        "model/hidden_size": 16,
        "training/epochs": 12,
        "training/batch_size": 32,
        "optimizer/lr": 0.01,
        "data/look_back": 12,
        "data/decoding": decoding,
        "data/channels": channels,
    }
    job = made.job(data, tmp_path, values, task=TASK, metric="mse", maximize=False)
    rank = Rank("cpu", 1)
    rank.start(job)
    for _ in range(12):
        report = rank.epoch()
    assert report.best < 0.4


@pytest.mark.parametrize("decoding", ["recursive", "seq2seq"])
def test_all_networks_together_have_the_parameters_asked_for(data: Path, decoding: str) -> None:
    values = {"model/parameters": 20_000, "data/look_back": 12, "data/decoding": decoding}
    config = TrialConfig.from_values(values, TASK)
    task = make_task(TASK, config, Store.open(data).card, None)
    module = build_module(config, task)
    built = sum(parameter.numel() for parameter in module.parameters())
    assert built == pytest.approx(20_000, rel=0.02)
    assert num_parameters(config, task) == built
