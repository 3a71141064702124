"""Every score of every task, and its curve, are the same on one, two and three ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gangs
import made
import numpy as np
import pytest

from tuner import registry
from tuner.config import TrialConfig, make_task
from tuner.data.store import Store

SETTINGS: dict[str, list[dict[str, Any]]] = {
    "classification": [{"data/class_weights": "balanced", "loss/label_smoothing": 0.1}],
    "ctc": [{"data/subsampling": 2}],
    "control": [{"loss/label_smoothing": 0.1}],
    "fused": [
        {"model/fusion": "early", "augmentation/mixup": 0.2},
        {"model/fusion": "gated", "model/initial_state": "conditioned"},
    ],
    "tagging": [{"loss/label_smoothing": 0.1}, {"model/crf": True, "data/characters": 3}],
    "language_modelling": [{"data/window": 24, "loss/label_smoothing": 0.1}],
    "seq2seq": [{"loss/label_smoothing": 0.1}, {"model/attention": "dot", "model/tied": True}],
    # Masks are drawn rank by rank.
    "synthesis": [{"model/frames_per_step": 3, "model/frame_dropout": 0.0}],
    "recommendation": [
        {"model/tied": True, "data/history": 4},
        {"loss/name": "sampled_softmax", "loss/negatives": 5},
    ],
}
"""What each task's trials have besides, one of them each."""

CASES = [(name, n) for name in list(made.TASKS) for n in range(len(SETTINGS.get(name, "1")))]


def values_of(name: str, number: int, data: Path) -> dict[str, Any]:
    """In the last step there are more ranks than rows: one row, or two streams."""
    values = {"model/hidden_size": 6, "training/epochs": 2, "optimizer/lr": 0.01}
    values |= SETTINGS.get(name, [{}])[number]
    task = made.TASKS[name]
    store = Store.open(data)
    made_task = make_task(task, TrialConfig.from_values(values, task), store.card, None)
    rows = made_task.rows(store, "train", None)
    return values | {"training/batch_size": 2 if made_task.window else len(rows) - 1}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[list[dict[str, Any]]]]:
    """Of each size of gang what each rank saw of each case."""
    folder = tmp_path_factory.mktemp("ranks")
    data = {}
    for name in list(made.TASKS):
        (folder / name).mkdir()
        data[name] = made.of_task(name, folder / name)
    found = {}
    for size in (1, 2, 3):
        jobs = [
            made.job_of(
                name,
                data[name],
                folder / f"{size}-{name}-{number}",
                values_of(name, number, data[name]),
            )
            for name, number in CASES
        ]
        found[size] = gangs.train(folder, jobs, size)
    return found


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize(("name", "number"), CASES)
def test_scores_and_curve_are_those_of_one_rank(
    results: dict[int, list[list[dict[str, Any]]]], name: str, number: int, size: int
) -> None:
    place = CASES.index((name, number))
    alone = results[1][0][place]
    for ranks in results[size]:
        mine = ranks[place]
        assert mine["sums"] == results[size][0][place]["sums"], "ranks hold different weights"
        for split, scores in alone["untrained"].items():
            task = registry.get("tasks", made.TASKS[name]["name"])
            assert scores.keys() == task.METRICS.keys()
            assert mine["untrained"][split] == pytest.approx(scores, rel=1e-6, abs=1e-6)
        for ours, theirs in zip(alone["reports"], mine["reports"], strict=True):
            for metric in ours.keys() - {"rows_per_second"}:
                assert theirs[metric] == pytest.approx(ours[metric], rel=1e-5, abs=1e-5), metric
        first, last = (report["train_loss"] for report in (mine["reports"][0], mine["reports"][-1]))
        assert np.isfinite(last) and last != first, "nothing was trained"
