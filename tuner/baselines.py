"""What one gets without learning, on the very targets that rank the trials."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuner.spec import SweepSpec

Scores = dict[str, dict[str, float]]
"""Baseline → metric → value."""


def baselines(spec: SweepSpec, data: Path) -> dict[str, Scores]:
    """The task's naive models by split: `validation` (the mean over folds), and `test` if any."""
    from tuner.config import TrialConfig, make_task
    from tuner.data.store import Store

    store = Store.open(data)
    config = TrialConfig.from_values(spec.space.defaults(), spec.task)
    folds: list[int | None] = list(range(store.card.num_folds)) or [None]
    each = [
        make_task(spec.task, config, store.card, fold).baselines(store, "validation", fold)
        for fold in folds
    ]
    found = {"validation": _mean(each)}
    if store.card.num_sequences.get("test"):
        task = make_task(spec.task, config, store.card, None)
        found["test"] = task.baselines(store, "test", None)
    return found


def _mean(each: list[Scores]) -> Scores:
    return {
        name: {m: sum(scores[name][m] for scores in each) / len(each) for m in metrics}
        for name, metrics in each[0].items()
    }
