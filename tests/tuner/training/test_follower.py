"""A gang whose other ranks follow in processes of their own, on one machine and without Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import pytest

from tuner.errors import Diverged
from tuner.training.checkpoint import read
from tuner.training.follower import gang


def train(folder: Path, data: Path, size: int, **values: Any) -> list[dict[str, float]]:
    job = made.job(data, folder, values)
    with gang(job, 3, size=size, threads=1) as rank:
        rank.start(job)
        for _ in range(3):
            rank.epoch()
        rank.stop()
        return [
            {name: value for name, value in metrics.items() if name != "rows_per_second"}
            for _, metrics in rank.curve()
        ]


def test_a_gang_follows_one_rank(tmp_path: Path) -> None:
    data = made.classification(tmp_path)
    alone, gang_of_two = (train(tmp_path / str(size), data, size) for size in (1, 2))
    for ours, theirs in zip(alone, gang_of_two, strict=True):
        assert theirs == pytest.approx(ours, rel=1e-5, abs=1e-6)
    assert read(tmp_path / "2", "best") is not None


def test_all_ranks_end_when_the_trial_diverges(tmp_path: Path) -> None:
    data = made.classification(tmp_path)
    with pytest.raises(Diverged):
        train(tmp_path / "wild", data, 2, **{"optimizer/lr": 1e30})
