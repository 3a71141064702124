"""A trial trained again from its record is the same to the last bit, or the difference is told."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import made
import pytest
import sweeps

from tuner import versions
from tuner.errors import CommandError, DataError, NotReproduced
from tuner.sweep import Sweep
from tuner.training.checkpoint import read, write


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rerun")
    sweeps.swept(folder, made.sequences_csv)
    return folder


@pytest.fixture
def sweep(place: Path, tmp_path: Path) -> Sweep:
    """One's own copy."""
    shutil.copytree(place, tmp_path / "copy")
    spec = tmp_path / "copy" / "sweeps" / "small" / "spec.json"
    spec.write_text(json.dumps(json.loads(spec.read_text()) | {"root": str(tmp_path / "copy")}))
    return Sweep.open("small", home=tmp_path / "copy" / "sweeps")


def contents(sweep: Sweep) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sweep.folder.rglob("*") if path.is_file()}


def test_equal_to_the_last_bit_and_nothing_is_touched(sweep: Sweep) -> None:
    before = contents(sweep)
    digest = json.loads((sweep.folder / "trials/0001/best.json").read_text())["sha256"]
    said = sweep.rerun(1)
    assert "equal to the last bit: 4 epochs" in said and digest[:16] in said
    assert contents(sweep) == before


def test_folds_are_compared_by_their_curve(tmp_path: Path) -> None:
    data = {"train": "rows.csv", "id": "id", "time": "step", "target": "label"}
    sweep = sweeps.swept(
        tmp_path,
        made.sequences_csv,
        data=data | {"validation": {"folds": 3}},
        search={"trials": 1, "seed": 3},
    )
    said = sweep.rerun(0)
    assert "equal to the last bit: 4 epochs" in said and "no weights, since it kept none" in said


def test_a_trial_that_diverged_diverges_again(tmp_path: Path) -> None:
    sweep = sweeps.swept(
        tmp_path,
        made.sequences_csv,
        override={"training/epochs": 3, "model/hidden_size": 4, "optimizer/lr": 1e30},
        search={"trials": 1, "seed": 3},
    )
    assert "DIVERGED by" in sweep.rerun(0)


def test_a_model_that_was_never_trained_is_not_trained_now(tmp_path: Path) -> None:
    search = {"trials": 1, "seed": 3, "constraints": ["parameters <= 10"]}
    sweep = sweeps.swept(tmp_path, made.sequences_csv, search=search)
    with pytest.raises(CommandError, match=r"parameters.*does not hold.*rerun/untrained"):
        sweep.rerun(0)


def altered_curve(sweep: Sweep) -> str:
    path = sweep.folder / "trials/0001/curve.csv"
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    place = rows[0].index("train/loss")
    value = float(rows[2][place])
    rows[2][place] = repr(value * (1 + 2**-52))
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return f"train/loss after epoch 2 was {rows[2][place]} and is {value!r}"


def altered_weights(sweep: Sweep) -> str:
    folder = sweep.folder / "trials/0001"
    best = read(folder, "best")
    assert best is not None
    best.tensors["head.bias"][0] += 1e-6
    write(folder, "best", best.tensors, best.state)
    return "the weight head.bias differs by up to"


@pytest.mark.parametrize("alter", [altered_curve, altered_weights])
def test_the_first_difference_is_told_with_its_likely_cause(sweep: Sweep, alter: Any) -> None:
    expected = alter(sweep)
    with pytest.raises(NotReproduced) as raised:
        sweep.rerun(1)
    assert expected in str(raised.value)
    assert "Versions and processor are those of the sweep" in str(raised.value)
    then = json.loads((sweep.folder / versions.FILE).read_text())
    (sweep.folder / versions.FILE).write_text(json.dumps(then | {"torch": "2.1.0"}))
    with pytest.raises(NotReproduced, match=r"Likely why: torch 2\.1\.0 then, 2\."):
        sweep.rerun(1)


def test_what_cannot_be_trained_again_is_refused(sweep: Sweep) -> None:
    with pytest.raises(CommandError, match=r"There are 0 to 1\. \[rerun/trial\]"):
        sweep.rerun(7)
    (sweep.spec.root / "rows.csv").write_text("id,step,x,y,label\n")
    with pytest.raises(DataError, match="data/changed"):
        sweep.rerun(1)
