"""What a spec may say of its ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from command import write_spec

from tuner.errors import SpecError
from tuner.search.objectives import Constraint, Objective
from tuner.spec import SweepSpec
from tuner.spec_reader import load


def read(folder: Path, **search: Any) -> SweepSpec:
    return load(write_spec(folder / "s.yaml", search=search))


def test_the_first_objective_ranks_and_each_knows_its_direction(tmp_path: Path) -> None:
    spec = read(tmp_path, objectives=["macro_f1", "latency_ms", "accuracy"])
    assert (spec.metric, spec.maximize) == ("macro_f1", True)
    assert spec.objectives == (
        Objective(name="macro_f1", maximize=True),
        Objective(name="latency_ms", maximize=False),
        Objective(name="accuracy", maximize=True),
    )
    assert spec.search.scheduler == "none", "nothing is stopped early"
    assert SweepSpec.from_data(spec.to_data()).objectives == spec.objectives
    assert spec.asked == {"macro_f1", "latency_ms", "accuracy"}


def test_one_objective_is_stopped_early_as_ever(tmp_path: Path) -> None:
    assert read(tmp_path, trials=3).search.scheduler == "asha"
    spec = read(tmp_path, metric="accuracy", constraints=["latency_ms <= 5", "parameters<=1e6"])
    assert spec.search.scheduler == "asha" and len(spec.objectives) == 1
    assert spec.constraints[1] == Constraint(name="parameters", sign="<=", bound=1e6)
    assert spec.asked == {"accuracy", "latency_ms", "parameters"}


@pytest.mark.parametrize(
    ("search", "parts"),
    [
        ({"metric": "acuracy"}, ["`search/metric` must be", "Did you mean `accuracy`?"]),
        ({"objectives": ["latency_ms", "accuracy"]}, ["must begin with a validation metric"]),
        ({"objectives": ["accuracy", "latncy_ms"]}, ["Did you mean `latency_ms`?", "line"]),
        ({"objectives": ["accuracy", "accuracy"]}, ["must be named once"]),
        ({"objectives": ["accuracy", "bytes"], "metric": "macro_f1"}, ["must be left out"]),
        ({"objectives": ["accuracy", "bytes"], "scheduler": "asha"}, ["must be none", "asha"]),
        ({"objectives": ["accuracy", "bytes"], "scheduler": "median"}, ["must be none"]),
        ({"objectives": ["accuracy", "bytes"], "sampler": "cmaes"}, ["knows several"]),
        ({"constraints": ["latency_ms < 5"]}, ["NAME <= NUMBER", "'latency_ms < 5'"]),
        ({"constraints": ["latency_ms <= fast"]}, ["must end in a number"]),
        ({"constraints": ["size <= 5"]}, ["must bound a validation metric or a cost", "bytes"]),
        ({"confirm": -1}, ["confirm"]),
        ({"seeds": 1}, ["seeds"]),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, search: dict[str, Any], parts: list[str]
) -> None:
    with pytest.raises(SpecError) as refused:
        read(tmp_path, **search)
    assert all(part in str(refused.value) for part in parts), refused.value


def test_all_mistakes_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as refused:
        read(tmp_path, objectives=["x", "y"], constraints=["z <= 1", "w"], scheduler="asha")
    codes = [mistake.code for mistake in refused.value.mistakes]
    assert codes == [
        "spec/unknown-metric",
        "spec/unknown-objective",
        "spec/unknown-objective",
        "spec/constraint",
        "spec/objectives",
        "data/missing",
    ]
