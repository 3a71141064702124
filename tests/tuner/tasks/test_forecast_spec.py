"""Which scores of a forecast may rank trials follows from the spec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tuner import spec_reader
from tuner.errors import SpecError

UNITS, QUANTILES = {"target": "x"}, {"quantiles": [0.1, 0.5, 0.9]}


def load(folder: Path, metric: str, data: dict[str, Any], task: dict[str, Any]) -> Any:
    (folder / "rows.csv").write_text("x,y\n")
    section = {
        "name": "made",
        "task": {"name": "forecasting", "horizon": 3} | task,
        "data": {"train": "rows.csv"} | data,
        "search": {"metric": metric},
    }
    (folder / "spec.yaml").write_text(yaml.safe_dump(section))
    return spec_reader.load(folder / "spec.yaml")


@pytest.mark.parametrize("metric", ["rse", "smape", "mase", "rmse_units", "mae_units", "pinball"])
def test_any_score_that_there_is_may_rank(tmp_path: Path, metric: str) -> None:
    read = load(tmp_path, metric, UNITS, QUANTILES)
    assert (read.metric, read.maximize) == (metric, False)


@pytest.mark.parametrize(
    ("metric", "data", "task"),
    [
        ("rmse_units", {}, QUANTILES),
        ("rmse_units", {"target": ["x", "y"]}, {}),
        ("pinball", UNITS, {}),
        ("coverage", UNITS, QUANTILES),
    ],
)
def test_others_are_refused(
    tmp_path: Path, metric: str, data: dict[str, Any], task: dict[str, Any]
) -> None:
    with pytest.raises(SpecError, match=f"'{metric}'.*Known: mse, mae") as refused:
        load(tmp_path, metric, data, task)
    assert [m.code for m in refused.value.mistakes] == ["spec/unknown-metric"]


@pytest.mark.parametrize("levels", [[0.9, 0.5], [0.1, 0.9]])
def test_levels_without_an_order_or_a_median_are_refused(
    tmp_path: Path, levels: list[float]
) -> None:
    with pytest.raises(SpecError, match="ascend and hold 0.5"):
        load(tmp_path, "mse", UNITS, {"quantiles": levels})


def test_folds_are_refused_and_origins_offered(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"\{origins: 3\}"):
        load(tmp_path, "mse", {"validation": {"folds": 3}}, {})
    read = load(tmp_path, "mse", {"validation": {"origins": 3}}, {})
    assert read.data.validation.origins == 3
    with pytest.raises(SpecError, match="validation"):
        load(tmp_path, "mse", {"validation": {"origins": 99}}, {})
