"""One rank and N ranks follow the same curve: real gloo processes on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gangs
import made
import numpy as np
import pytest

from tuner.training.ranks import Ranks

# 49 training rows in batches of 16 leave a last batch of one row: with two ranks and more, some
# have none. Everything that could depend on how rows are spread is on: norm, clipping, penalties.
VALUES: dict[str, Any] = {
    "model/norm": "batch",
    "model/layers": 2,
    "model/directions": 2,
    "model/pooling": "attention",
    "training/clip_norm": 0.5,
    "regularization/l1": 1e-4,
    "optimizer/weight_decay": 0.01,
}
ROWS: dict[str, Any] = {
    "data/sampling": "synthetic",
    "data/class_weights": "balanced",
    "loss/label_smoothing": 0.1,
    "loss/focal": 1.0,
    **{f"augmentation/{name}": 0.2 for name in ("jitter", "scale", "mixup")},
    **{f"augmentation/{name}": 0.3 for name in ("crop", "shift", "time_warp")},
    "training/batch_tokens": 100,
}
"""Sampled, synthetic, augmented and mixed, in batches of a budget of steps."""
STEPS: dict[str, Any] = {
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
"""What shapes a step."""
FORECAST: dict[str, Any] = {
    "data/channels": "shared",
    "data/look_back": 8,
    "training/epochs": 2,
}
TASK = {"name": "forecasting", "horizon": 5, "quantiles": [0.1, 0.5, 0.9]}


@dataclass(frozen=True)
class Case:
    """A trial, and the gangs that are to follow the curve of one rank."""

    values: dict[str, Any]
    sizes: tuple[int, ...]
    micro_batch: int | None = None
    """Rows at once, where a gang computes its batches in pieces."""
    task: dict[str, Any] | None = None


CASES = {
    "whole": Case(VALUES, (2, 3)),
    "pieces": Case(VALUES | {"model/norm": "layer"}, (2,), micro_batch=3),
    "rows": Case(VALUES | ROWS, (2,)),
    "steps": Case(VALUES | STEPS, (2,)),
    # Of 2 validation windows the last of three ranks has none.
    "recursive": Case(FORECAST | {"data/decoding": "recursive"}, (3,), task=TASK),
    "seq2seq": Case(FORECAST | {"data/decoding": "seq2seq"}, (3,), task=TASK),
}

Seen = dict[tuple[str, int], list[dict[str, Any]]]
"""Case and size of the gang → what each rank saw."""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """One gang of each size trains all that is asked of it: processes take longer to start."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "windows").mkdir()
    made.series_csv(folder / "windows" / "rows.csv", missing=0.1, length=25)
    section = {"train": "rows.csv", "id": "name", "time": "time", "missing": "mean"}
    windows = made.prepared(folder / "windows", TASK, section | {"calendar": ["hour"]})
    sequences = made.classification(tmp_path_factory.mktemp("sequences"))
    found: Seen = {}
    for size in (1, 2, 3):
        names = [name for name, case in CASES.items() if size in (1, *case.sizes)]
        jobs, pieces = [], {}
        for place, name in enumerate(names):
            case, trial = CASES[name], folder / f"{name}-{size}"
            if case.task is None:
                jobs.append(made.job(sequences, trial, case.values))
            else:
                goal = {"metric": "pinball", "maximize": False}
                jobs.append(made.job(windows, trial, case.values, task=case.task, **goal))
            if size > 1 and case.micro_batch is not None:
                pieces[place] = case.micro_batch
        for results in gangs.train(folder, jobs, size, pieces):
            for name, result in zip(names, results, strict=True):
                found.setdefault((name, size), []).append(result)
    return found


GANGS = [(name, size) for name, case in CASES.items() for size in case.sizes]


@pytest.mark.parametrize(("name", "size"), GANGS)
def test_a_gang_follows_the_curve_of_one_rank(seen: Seen, name: str, size: int) -> None:
    ((alone,), gang) = seen[name, 1], seen[name, size]
    assert len(gang) == size
    for rank in gang:
        assert rank["sums"] == gang[0]["sums"], "ranks hold different weights"
        for ours, theirs in zip(alone["reports"], rank["reports"], strict=True):
            for metric in ours.keys() - {"rows_per_second"}:
                assert theirs[metric] == pytest.approx(ours[metric], rel=1e-5, abs=1e-6), metric
        for split, scores in alone["scores"].items():
            assert rank["scores"][split] == pytest.approx(scores, rel=1e-5, abs=1e-6)


def test_shares_are_a_partition_with_the_rest_on_the_first_ranks() -> None:
    rows = np.arange(10)
    shares = [Ranks(rank=rank, size=4).share(rows) for rank in range(4)]
    assert [len(share) for share in shares] == [3, 3, 2, 2]
    assert np.concatenate(shares).tolist() == rows.tolist()
    assert [len(Ranks(rank=r, size=3).share(rows[:1])) for r in range(3)] == [1, 0, 0]
