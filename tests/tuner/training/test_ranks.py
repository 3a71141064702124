"""One rank and N ranks follow the same curve: real gloo processes on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gangs
import made
import numpy as np
import pytest

from tuner.training.ranks import Ranks


def train(
    folder: Path,
    data: Path,
    values: dict[str, Any],
    size: int,
    micro_batch: int | None = None,
    **changes: Any,
) -> list[dict[str, Any]]:
    """What each rank of a gang saw."""
    folder.mkdir()
    job = made.job(data, folder / "trial", values, **changes)
    return [results for (results,) in gangs.train(folder, [job], size, micro_batch)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.classification(tmp_path_factory.mktemp("data"))


# 49 training rows in batches of 16 leave a last batch of one row: with two ranks and more, some
# have none. Everything that could depend on how rows are spread is on: norm, clipping, penalties.
VALUES = {
    "model/norm": "batch",
    "model/layers": 2,
    "model/directions": 2,
    "model/pooling": "attention",
    "training/clip_norm": 0.5,
    "regularization/l1": 1e-4,
    "optimizer/weight_decay": 0.01,
}


@pytest.fixture(scope="module")
def alone(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    (result,) = train(tmp_path_factory.mktemp("alone") / "gang", data, VALUES, 1)
    return result


@pytest.mark.parametrize(("size", "micro_batch"), [(2, None), (3, None), (2, 3)])
def test_a_gang_follows_the_curve_of_one_rank(
    data: Path, alone: dict[str, Any], tmp_path: Path, size: int, micro_batch: int | None
) -> None:
    values = VALUES if micro_batch is None else VALUES | {"model/norm": "layer"}
    if micro_batch is not None:
        (alone,) = train(tmp_path / "alone", data, values, 1)
    gang = train(tmp_path / "gang", data, values, size, micro_batch)
    for rank in gang:
        assert rank["sums"] == gang[0]["sums"], "ranks hold different weights"
        for ours, theirs in zip(alone["reports"], rank["reports"], strict=True):
            for name in ours.keys() - {"rows_per_second"}:
                assert theirs[name] == pytest.approx(ours[name], rel=1e-5, abs=1e-6), name
        for split, scores in alone["scores"].items():
            assert rank["scores"][split] == pytest.approx(scores, rel=1e-5, abs=1e-6)


def test_a_gang_makes_the_rows_of_one_rank(data: Path, tmp_path: Path) -> None:
    """Sampled, synthetic, augmented and mixed, in batches of a budget of steps."""
    values = VALUES | {"data/sampling": "synthetic", "data/class_weights": "balanced"}
    values |= {"loss/label_smoothing": 0.1, "loss/focal": 1.0}
    values |= {f"augmentation/{name}": 0.2 for name in ("jitter", "scale", "mixup")}
    values |= {f"augmentation/{name}": 0.3 for name in ("crop", "shift", "time_warp")}
    values |= {"training/batch_tokens": 100}
    (alone,) = train(tmp_path / "alone", data, values, 1)
    for rank in train(tmp_path / "gang", data, values, 2):
        for ours, theirs in zip(alone["reports"], rank["reports"], strict=True):
            for name in ours.keys() - {"rows_per_second"}:
                assert theirs[name] == pytest.approx(ours[name], rel=1e-5, abs=1e-6), name


STEPS = {
    "model/norm": "layer",
    "schedule/name": "stable_decay",
    "optimizer/lr_scaling": "sqrt",
    "regularization/activation": 1.0,
    "regularization/temporal_activation": 1.0,
    "training/accumulate": 2,
    "training/bptt": 4,
    "training/ema": 0.8,
    "transfer/freeze": "encoder.layers.1.cells.1.*",
}


def test_what_shapes_a_step_is_the_same_on_any_number_of_ranks(data: Path, tmp_path: Path) -> None:
    values = VALUES | STEPS
    (alone,) = train(tmp_path / "alone", data, values, 1)
    gang = train(tmp_path / "gang", data, values, 2)
    for rank in gang:
        assert rank["sums"] == gang[0]["sums"], "ranks hold different weights"
        for ours, theirs in zip(alone["reports"], rank["reports"], strict=True):
            for name in ours.keys() - {"rows_per_second"}:
                assert theirs[name] == pytest.approx(ours[name], rel=1e-5, abs=1e-6), name
        for split, scores in alone["scores"].items():
            assert rank["scores"][split] == pytest.approx(scores, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("decoding", ["recursive", "seq2seq"])
def test_every_score_of_a_forecast_is_the_same_on_three_ranks(
    tmp_path: Path, decoding: str
) -> None:
    made.series_csv(tmp_path / "rows.csv", missing=0.1, length=25)
    task = {"name": "forecasting", "horizon": 5, "quantiles": [0.1, 0.5, 0.9]}
    data = {"train": "rows.csv", "id": "name", "time": "time", "missing": "mean"}
    folder = made.prepared(tmp_path, task, data | {"calendar": ["hour"]})
    # Of 2 validation windows the last rank has none.
    values = {
        "data/decoding": decoding,
        "data/channels": "shared",
        "data/look_back": 8,
        "training/epochs": 2,
    }
    job = {"task": task, "metric": "pinball", "maximize": False}
    (alone,) = train(tmp_path / "alone", folder, values, 1, **job)
    for rank in train(tmp_path / "gang", folder, values, 3, **job):
        for ours, theirs in zip(alone["reports"], rank["reports"], strict=True):
            for name in ours.keys() - {"rows_per_second"}:
                assert theirs[name] == pytest.approx(ours[name], rel=1e-5, abs=1e-6), name
        for split, scores in alone["scores"].items():
            assert rank["scores"][split] == pytest.approx(scores, rel=1e-5, abs=1e-6)


def test_shares_are_a_partition_with_the_rest_on_the_first_ranks() -> None:
    rows = np.arange(10)
    shares = [Ranks(rank=rank, size=4).share(rows) for rank in range(4)]
    assert [len(share) for share in shares] == [3, 3, 2, 2]
    assert np.concatenate(shares).tolist() == rows.tolist()
    assert [len(Ranks(rank=r, size=3).share(rows[:1])) for r in range(3)] == [1, 0, 0]
