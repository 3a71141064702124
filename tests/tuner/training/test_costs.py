"""What a model costs, as it is counted and timed."""

from __future__ import annotations

from pathlib import Path

import made
import pytest
import torch

from tuner import registry
from tuner.training import costs as module
from tuner.training.costs import _one_row, costs
from tuner.training.rank import Rank


def test_size_is_what_is_built(tmp_path: Path) -> None:
    fit = made.fit(made.classification(tmp_path), tmp_path / "t", {"model/hidden_size": 8})
    found = costs(fit, latency=False)
    # Four gates of an LSTM over 2 features and 8 states with two biases, and a head of 3 classes.
    assert found == {"parameters": 4 * 8 * (2 + 8 + 2) + 3 * 9, "bytes": 4 * (4 * 8 * 12 + 27)}


def test_latency_follows_the_model_and_leaves_it_as_it_was(tmp_path: Path) -> None:
    data = made.classification(tmp_path)
    small = made.fit(data, tmp_path / "s", {"model/hidden_size": 4})
    large = made.fit(data, tmp_path / "l", {"model/hidden_size": 256, "model/layers": 3})
    large.module.train()
    before = {name: tensor.clone() for name, tensor in large.module.state_dict().items()}
    times = [costs(fit, latency=True)["latency_ms"] for fit in (small, large)]
    assert 0 < times[0] < times[1] < 1000
    assert large.module.training
    assert all(torch.equal(before[n], t) for n, t in large.module.state_dict().items())


def test_a_row_of_median_length_is_timed(tmp_path: Path) -> None:
    fit = made.fit(made.classification(tmp_path), tmp_path / "t", {})
    lengths = sorted(int(n) for n in fit.validation.take(fit.validation.by_length).lengths)
    assert _one_row(fit).lengths.tolist() == [lengths[len(lengths) // 2]]


@pytest.mark.parametrize("task", registry.names("tasks"))
def test_models_of_every_task_are_timed(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RUNS", 5)
    data = made.of_task(task, tmp_path)
    rank = Rank("cpu", 1)
    rank.start(made.job_of(task, data, tmp_path / "t", {"model/hidden_size": 8}))
    found = rank.costs(latency=True)
    assert set(found) == {"parameters", "bytes", "latency_ms"}
    assert found["parameters"] > 0 and found["latency_ms"] > 0
