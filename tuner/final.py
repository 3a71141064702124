"""Final models: what is scored on the test split once, and what is exported."""

from __future__ import annotations

import ray
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from tuner.context import Context
from tuner.lane import open_lane
from tuner.search.records import TrialRecord
from tuner.training.finish import finish

_PLACEMENT_SECONDS = 600.0


def score(
    context: Context, record: TrialRecord, *, folds: bool, has_test: bool
) -> dict[str, float]:
    """Makes the final model of a trial on a lane like the search's, and scores it.

    After cross-validation that is a new model, trained on all training rows for the mean of the
    folds' best epochs; otherwise the trial's own best weights.

    Returns:
        Metrics on the test split, empty where there is none.
    """
    resources = context.resources
    group = placement_group(resources.bundles(), strategy="PACK")
    try:
        ray.get(group.ready(), timeout=_PLACEMENT_SECONDS)
        make = ray.remote(max_calls=1, max_retries=3)(_make).options(
            num_cpus=resources.cpus_per_worker,
            num_gpus=resources.gpus_per_worker,
            scheduling_strategy=PlacementGroupSchedulingStrategy(
                group,
                placement_group_bundle_index=0,
                placement_group_capture_child_tasks=True,
            ),
        )
        scores: dict[str, float] = ray.get(make.remote(context, record, folds, has_test))
        return scores
    finally:
        remove_placement_group(group)


def _make(context: Context, record: TrialRecord, folds: bool, has_test: bool) -> dict[str, float]:
    assert record.outcome is not None and record.outcome.best_epoch is not None
    refit_epochs = record.outcome.best_epoch if folds else None
    job = context.job(record.number, record.values, refit_epochs)
    lane = open_lane(context.resources)
    try:
        finish(lane, job, refit_epochs or record.outcome.epochs)
        return lane.evaluate("test") if has_test else {}
    finally:
        lane.close()
