"""A sweep that is killed or told to stop goes on as if nothing had happened."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import made
from command import ENVIRONMENT, tuner, write_spec

from tuner.tracking.reader import runs
from tuner.tracking.uri import local_uri

ONE_CPU = {min(os.sched_getaffinity(0))}
TIMED = {"seconds", "validation/rows_per_second"}


def make(folder: Path) -> Path:
    folder.mkdir()
    made.sequences_csv(folder / "rows.csv", num=150)
    override = {"model/hidden_size": [4, 8, 12, 16], "model/layers": 1, "training/epochs": 9}
    write_spec(folder / "small.yaml", override=override, search={"trials": 8, "seed": 3})
    return folder


def stopped(folder: Path, number: signal.Signals, after_trials: int, *command: str) -> int:
    """Runs a command on one CPU, so that there is one lane, and signals it after some trials."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tuner", *command],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, ONE_CPU),
    )
    assert process.stderr is not None
    left = after_trials
    for line in process.stderr:
        left -= "  trial " in line
        if left == 0:
            process.send_signal(number)
            break
    process.stderr.read()
    return process.wait(timeout=60)


def trials(folder: Path) -> list[dict[str, Any]]:
    found = json.loads(tuner("leaderboard", "small", "--format", "json", cwd=folder).stdout)
    return [{k: v for k, v in t.items() if k not in TIMED} for t in found["trials"]]


def epochs(trial: Path) -> list[int]:
    """The epochs on a trial's curve."""
    with (trial / "curve.csv").open(newline="") as file:
        return [int(row["epoch"]) for row in csv.DictReader(file)]


def written(folder: Path) -> dict[str, int]:
    """When each trial's best weights were written."""
    paths = (folder / "sweeps" / "small").glob("trials/*/best.json")
    return {path.parent.name: path.stat().st_mtime_ns for path in paths}


def weights(folder: Path) -> dict[str, str]:
    paths = (folder / "sweeps" / "small").glob("trials/*/best.json")
    return {path.parent.name: json.loads(path.read_text())["sha256"] for path in paths}


def check_records(folder: Path) -> None:
    """Every run once, and closed."""
    found = runs(local_uri(folder / "sweeps"), "small")
    assert sorted(run.key or "" for run in found) == [
        "sweep",
        *(f"trial-{number:04d}" for number in range(8)),
    ]
    assert {run.status for run in found} == {"FINISHED"}


def check_stopped(folder: Path) -> None:
    """No run is left RUNNING, and no epoch of a trial that was stopped will be trained twice."""
    found = runs(local_uri(folder / "sweeps"), "small")
    assert {run.status for run in found} <= {"FINISHED", "KILLED"}
    killed = [run.key or "" for run in found if run.status == "KILLED" and run.key != "sweep"]
    for key in killed:
        trial = folder / "sweeps" / "small" / "trials" / key.removeprefix("trial-")
        saved = max((int(path.stem[6:]) for path in trial.glob("epoch-*.json")), default=0)
        told = epochs(trial) if (trial / "curve.csv").exists() else []
        assert saved >= max(told, default=0)


def test_a_killed_and_stopped_sweep_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    whole, cut = make(tmp_path / "whole"), make(tmp_path / "cut")
    done = tuner("sweep", "small.yaml", cwd=whole, cpus=ONE_CPU)
    assert done.returncode == 0, done.stderr
    assert stopped(cut, signal.SIGKILL, 2, "sweep", "small.yaml") == -signal.SIGKILL
    again = tuner("sweep", "small.yaml", cwd=cut)
    assert again.returncode == 2 and "tuner resume small" in again.stderr
    before = written(cut)
    assert "0000" in before
    assert stopped(cut, signal.SIGTERM, 2, "resume", "small") == 128 + signal.SIGTERM
    assert "interrupted" in tuner("status", cwd=cut).stdout
    check_stopped(cut)
    done = tuner("resume", "small", cwd=cut, cpus=ONE_CPU)
    assert done.returncode == 0, done.stderr
    assert trials(cut) == trials(whole)
    # A pruned trial keeps its weights when the next one comes; before each of the three ends there
    # may be one that did not. An export would train them again.
    assert weights(cut).items() <= weights(whole).items() and len(weights(cut)) >= 5
    assert before.items() <= written(cut).items(), "a finished trial ran again"
    for trial in (cut / "sweeps" / "small" / "trials").iterdir():
        assert epochs(trial) == epochs(whole / trial.relative_to(cut)), "no point lost or doubled"
    check_records(cut)
