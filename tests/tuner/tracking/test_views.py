"""The view that MLflow's UI offers: what it shows, in words that the installed UI knows."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tuner.tracking import views


def made(
    *,
    scores: Sequence[str] = ("best/accuracy",),
    maximize: bool = True,
    parameters: Sequence[str] = ("optimizer/lr", "model/join"),
    permanent: Sequence[str] = ("optimizer/lr",),
) -> dict[str, Any]:
    state = views.trials(
        scores=scores,
        maximize=maximize,
        curve="validation/accuracy",
        figures=("test/accuracy", "seconds"),
        parameters=parameters,
        permanent=permanent,
    )
    found: dict[str, Any] = json.loads(state)
    return found


@pytest.mark.parametrize("maximize", [True, False])
def test_the_best_trial_comes_first(maximize: bool) -> None:
    view = made(maximize=maximize)
    assert view["orderByKey"] == "metrics.`best/accuracy`"
    assert view["orderByAsc"] is not maximize


def test_columns_are_scores_figures_and_the_first_parameters() -> None:
    many = [f"model/p{number}" for number in range(20)]
    columns = made(scores=("best/accuracy", "latency_ms", "seconds"), parameters=many)
    assert columns["selectedColumns"] == [
        *(f"metrics.`{m}`" for m in ("best/accuracy", "latency_ms", "seconds", "test/accuracy")),
        *(f"params.`{path}`" for path in many[:8]),
        "tags.`state`",
    ]


def test_charts_draw_only_parameters_that_each_trial_has() -> None:
    charts = made()["compareRunCharts"]
    assert [chart["type"] for chart in charts] == ["PARALLEL", "LINE", "SCATTER", "SCATTER"]
    assert charts[0]["selectedParams"] == ["optimizer/lr"]
    assert charts[0]["selectedMetrics"] == ["best/accuracy"]
    assert charts[3]["xaxis"] == {"key": "optimizer/lr", "type": "PARAM"}
    assert len({chart["uuid"] for chart in charts}) == len(charts)
    assert len(made(permanent=())["compareRunCharts"]) == 3


def test_a_view_fits_into_a_tag() -> None:
    from mlflow.utils.validation import MAX_EXPERIMENT_TAG_VAL_LENGTH

    long = [f"regularization/{'x' * 80}{number}" for number in range(40)]
    state = json.dumps(made(scores=long[:4], parameters=long, permanent=long))
    assert len(views.saved("x", state, 1)) < MAX_EXPERIMENT_TAG_VAL_LENGTH


def test_the_ui_knows_all_that_a_view_says() -> None:
    """Its front end is searched, as it is no part of any promise of MLflow's."""
    spec = importlib.util.find_spec("mlflow")
    assert spec is not None and spec.origin is not None
    scripts = Path(spec.origin).parent / "server" / "js" / "build" / "static" / "js"
    source = "".join(path.read_text() for path in scripts.glob("*.js"))
    words = {views.TAG, "viewStateShareKey", "compareRunsMode", *views.UNFOLDED.values()}
    words |= {*made(), *views.UNFOLDED, "createdAt", "updatedAt", "metricSectionId"}
    for chart in made()["compareRunCharts"]:
        words |= {*chart, chart["type"]}
    assert {word for word in words if not re.search(rf"\b{re.escape(word)}", source)} == set()
