"""Final models: what is scored on the test split once, and what is exported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ray
from ray.util.placement_group import PlacementGroup, placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from tuner.context import Context
from tuner.search.records import TrialRecord


def score(
    context: Context, records: Sequence[TrialRecord], *, folds: bool
) -> list[dict[str, float]]:
    """Makes the final models of some trials on lanes like the search's, and scores them.

    After cross-validation a final model is a new one, trained on all training rows for the mean of
    the folds' best epochs; otherwise it is the trial's own best weights.

    Returns:
        Metrics on the test split, for each record.
    """
    bundles = context.resources.bundles()
    groups = [placement_group(bundles, strategy="PACK") for _ in records]
    started = [_start(context, r, g, folds) for r, g in zip(records, groups, strict=True)]
    waiting = dict(zip(started, groups, strict=True))
    try:
        while waiting:
            # As many at once as fit: a group that is done with makes room for the next.
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            remove_placement_group(waiting.pop(done))
        scores: list[dict[str, float]] = ray.get(started)
        return scores
    finally:
        for group in waiting.values():
            remove_placement_group(group)


def _start(context: Context, record: TrialRecord, group: PlacementGroup, folds: bool) -> Any:
    resources = context.resources
    made = ray.remote(max_calls=1, max_retries=3)(_make).options(
        num_cpus=resources.cpus_per_worker,
        num_gpus=resources.gpus_per_worker,
        scheduling_strategy=PlacementGroupSchedulingStrategy(
            group,
            placement_group_bundle_index=0,
            placement_group_capture_child_tasks=True,
        ),
    )
    return made.remote(context, record, folds)


def _make(context: Context, record: TrialRecord, folds: bool) -> dict[str, float]:
    # In the lane's process alone: the driver does without torch.
    from tuner.lane import open_lane
    from tuner.training.finish import finish

    assert record.outcome is not None and record.outcome.best_epoch is not None
    refit_epochs = record.outcome.best_epoch if folds else None
    job = context.job(record.number, record.values, refit_epochs)
    lane = open_lane(context.resources)
    try:
        finish(lane, job, refit_epochs or record.outcome.epochs)
        return lane.evaluate("test")
    finally:
        lane.close()
