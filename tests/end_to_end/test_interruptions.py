"""A sweep that is killed or told to stop goes on as if nothing had happened."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections import Counter
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


def epochs(folder: Path) -> Counter[tuple[str, str]]:
    counted: Counter[tuple[str, str]] = Counter()
    for path in (folder / "sweeps" / "small").glob("trials/*/curve.csv"):
        with path.open(newline="") as file:
            counted.update((path.parent.name, row["epoch"]) for row in csv.DictReader(file))
    return counted


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


def test_a_killed_sweep_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    whole, cut = make(tmp_path / "whole"), make(tmp_path / "cut")
    done = tuner("sweep", "small.yaml", cwd=whole, cpus=ONE_CPU)
    assert done.returncode == 0, done.stderr
    assert stopped(cut, signal.SIGKILL, 2, "sweep", "small.yaml") == -signal.SIGKILL
    again = tuner("sweep", "small.yaml", cwd=cut)
    assert again.returncode == 2 and "tuner resume small" in again.stderr
    over = {key for key in epochs(cut) if int(key[0]) < 2}
    assert stopped(cut, signal.SIGKILL, 2, "resume", "small") == -signal.SIGKILL
    done = tuner("resume", "small", cwd=cut, cpus=ONE_CPU)
    assert done.returncode == 0, done.stderr
    assert trials(cut) == trials(whole)
    # A trial that was stopped in the very moment of the kill may have left no weights: an export
    # would train them again.
    assert weights(cut).items() <= weights(whole).items() and len(weights(cut)) >= 6
    assert all(epochs(cut)[key] == 1 for key in over), "a finished trial ran again"
    check_records(cut)


def test_sigterm_stops_in_order_and_resume_goes_on(tmp_path: Path) -> None:
    folder = make(tmp_path / "cut")
    assert stopped(folder, signal.SIGTERM, 1, "sweep", "small.yaml") == 128 + signal.SIGTERM
    assert "interrupted" in tuner("status", cwd=folder).stdout
    found = runs(local_uri(folder / "sweeps"), "small")
    assert {run.status for run in found} <= {"FINISHED", "KILLED"}, "none is left RUNNING"
    done = tuner("resume", "small", cwd=folder)
    assert done.returncode == 0, done.stderr
    check_records(folder)
    assert max(epochs(folder).values()) == 1, "it stopped in order: no epoch was trained twice"
