"""Reads runs back: for commands that compare them, and to see that none is left running."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.tracking.client import connect
from tuner.tracking.delivery import KEY_TAG


@dataclass(frozen=True, kw_only=True)
class TrackedRun:
    """One run as MLflow's tables show it."""

    run_id: str
    name: str
    key: str | None
    """The key given by the sweep; None for a run of other makers."""
    parent: str | None
    """Id of the run above."""
    status: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    """The last value of each."""
    artifact_uri: str


@dataclass(frozen=True, kw_only=True)
class TrackedPoint:
    """One value of one curve."""

    step: int
    time_ms: int
    value: float


def runs(uri: str, experiment: str) -> list[TrackedRun]:
    """All runs of an experiment, oldest first; none if the experiment does not exist."""
    client = connect(uri)
    found = client.get_experiment_by_name(experiment)
    if found is None:
        return []
    tracked: list[TrackedRun] = []
    token: str | None = ""
    while token is not None:
        page = client.search_runs(
            [found.experiment_id],
            max_results=1000,
            order_by=["attributes.start_time ASC"],
            page_token=token or None,
        )
        tracked.extend(
            TrackedRun(
                run_id=run.info.run_id,
                name=run.info.run_name,
                key=_key(run.data.tags),
                parent=run.data.tags.get("mlflow.parentRunId"),
                status=run.info.status,
                params=dict(run.data.params),
                tags=dict(run.data.tags),
                metrics=dict(run.data.metrics),
                artifact_uri=run.info.artifact_uri,
            )
            for run in page
        )
        token = page.token or None
    return tracked


def num_running(uri: str, experiment: str) -> int:
    """How many runs of an experiment MLflow believes to be alive."""
    return sum(run.status == "RUNNING" for run in runs(uri, experiment))


def history(uri: str, run_id: str, metric: str) -> list[TrackedPoint]:
    """One curve of one run, by step."""
    points = connect(uri).get_metric_history(run_id, metric)
    return sorted(
        (TrackedPoint(step=p.step, time_ms=p.timestamp, value=p.value) for p in points),
        key=lambda point: (point.step, point.time_ms),
    )


def _key(tags: dict[str, str]) -> str | None:
    return tags[KEY_TAG].partition("/")[2] if KEY_TAG in tags else None
