"""The view of a sweep's trials that MLflow's UI offers by name: columns, order and charts.

MLflow 3.17 keeps saved views as tags of the experiment and lists them under "Views"; the names of
what is in one are those of its own front end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

TAG = "mlflow.sharedViewState."
"""What the tag of a saved view begins with; its id follows."""
NAME = "trials"
"""Id of our view."""
EXPERIMENT = "{experiment}"
"""Stands for the experiment's id, which nobody knows before the first delivery, in a link."""
NOTE = "mlflow.note.content"
"""Tag of a run or an experiment that holds its description."""
UNFOLDED = {"mlflow.runType": "evaluation"}
"""Tags of a run at whose first sight the UI unfolds the run above it."""

_LINK = f"#/experiments/{EXPERIMENT}/runs?viewStateShareKey={NAME}"
_SECTION = "Sweep"
_OTHERS = ("Model metrics", "best", "train", "train/grad_norm", "validation")
"""Sections of the charts that the UI makes of all other metrics, and draws where they are open."""
_PLAIN: dict[str, Any] = {
    "xAxisKey": "step",
    "selectedXAxisMetricKey": "",
    "yAxisKey": "metric",
    "yAxisExpressions": [],
    "scaleType": "linear",
    "xAxisScaleType": "linear",
    "range": {},
    "lineSmoothness": 0,
    "ignoreOutliers": False,
    "useGlobalXaxisKey": True,
    "useGlobalLineSmoothing": True,
}
"""What a chart of lines has besides, as the UI makes one."""
_ALL = 1000
_MOST_COLUMNS = 8
_MOST_AXES = 6
"""Parameters beside the score: more lines than these cannot be told apart."""


def links() -> str:
    """Markdown that leads to the view, as a table and as charts."""
    return f"[All trials, best first]({_LINK}) · [their charts]({_LINK}&compareRunsMode=CHART)\n"


def trials(
    *,
    scores: Sequence[str],
    maximize: bool,
    curve: str,
    figures: Iterable[str],
    parameters: Sequence[str],
    permanent: Sequence[str],
) -> str:
    """The view of all trials but the broken ones, best first.

    Args:
        scores: metrics that trials compete in; the first ranks.
        maximize: whether the largest is the best.
        curve: the metric by epoch that leads to the first.
        figures: further metrics to show.
        parameters: that vary, those to be seen first in front.
        permanent: those of them that every trial has.

    Returns:
        JSON as MLflow's front end reads it.
    """
    metrics = list(dict.fromkeys((*scores, *figures)))
    charts = [
        _chart("PARALLEL", selectedParams=permanent[:_MOST_AXES], selectedMetrics=scores)
        | {"showAllRuns": True},
        _chart("LINE", metricKey=curve, selectedMetricKeys=[curve]) | _PLAIN,
        _scatter(_axis("seconds"), _axis(scores[0])),
        *(_scatter(_axis(path, "PARAM"), _axis(scores[0])) for path in permanent[:1]),
    ]
    return json.dumps(
        {
            # The sweep's own run has the winner's score too.
            "searchFilter": "tags.trial != '' and attributes.status != 'FAILED'",
            "orderByKey": _column("metrics", scores[0]),
            "orderByAsc": not maximize,
            "selectedColumns": [
                *(_column("metrics", name) for name in metrics),
                *(_column("params", path) for path in parameters[:_MOST_COLUMNS]),
                _column("tags", "state"),
            ],
            "compareRunCharts": charts,
            "compareRunSections": [
                _section(_SECTION, display=True),
                *(_section(name, display=False) for name in _OTHERS),
            ],
            "isAccordionReordered": True,
            "runsHiddenMode": "SHOW_ALL",
        }
    )


def saved(name: str, state: str, time_ms: int) -> str:
    """A view with its name, as the tag of an experiment holds it."""
    return json.dumps({"name": name, "createdAt": time_ms, "updatedAt": time_ms, "state": state})


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"


def _axis(name: str, kind: str = "METRIC") -> dict[str, str]:
    return {"key": name, "type": kind}


def _chart(kind: str, **what: Any) -> dict[str, Any]:
    id = f"{kind} {json.dumps(what)}"
    return {
        "type": kind,
        "uuid": id,
        "metricSectionId": _SECTION,
        "runsCountToCompare": _ALL,
        "deleted": False,
        "isGenerated": False,
    } | what


def _scatter(x: dict[str, str], y: dict[str, str]) -> dict[str, Any]:
    return _chart("SCATTER", xaxis=x, yaxis=y)


def _section(name: str, *, display: bool) -> dict[str, Any]:
    return {"uuid": name, "name": name, "display": display, "isReordered": True}
