"""What goes wrong while a sweep runs, and what is left of it: the catalogue's promises."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import made
from command import ENVIRONMENT, tuner, write_spec

from cluster.processes import below
from tuner.tracking.reader import runs
from tuner.tracking.uri import local_uri

GANG: dict[str, Any] = {
    "override": {
        "model/hidden_size": 8,
        "model/layers": 2,
        "regularization/dropout": 0.2,
        "training/epochs": 150,
        "training/batch_size": 16,
    },
    "search": {"trials": 1, "scheduler": "none"},
    "resources": {"workers": 2},
}


def make(folder: Path, **changes: Any) -> Path:
    folder.mkdir()
    made.sequences_csv(folder / "rows.csv", num=150)
    write_spec(folder / "small.yaml", **changes)
    return folder


def trials(folder: Path) -> list[dict[str, Any]]:
    text = tuner("leaderboard", "small", "--format", "json", cwd=folder).stdout
    found: list[dict[str, Any]] = json.loads(text)["trials"]
    return found


def descendants(process: int) -> dict[int, str]:
    """Processes below one, with their command lines."""
    found = {}
    for child in below(process):
        try:
            found[child] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
    return found


def test_a_killed_rank_costs_no_weight_and_no_run(tmp_path: Path) -> None:
    cut = make(tmp_path / "cut", **GANG)
    process = subprocess.Popen(
        [sys.executable, "-m", "tuner", "sweep", "small.yaml"],
        cwd=cut,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    curve = cut / "sweeps" / "small" / "trials" / "0000" / "curve.csv"
    deadline = time.monotonic() + 60
    while not curve.exists() or curve.read_text().count("\n") < 5:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    ranks = [pid for pid, name in descendants(process.pid).items() if "RankActor" in name]
    assert len(ranks) == 1, "the other rank is the trial's own process"
    os.kill(ranks[0], signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert trials(cut)[0]["state"] == "COMPLETE"
    whole = tuner("rerun", "small", "--trial", "0", cwd=cut)
    assert whole.returncode == 0 and "equal to the last bit" in whole.stdout, whole.stderr
    found = runs(local_uri(cut / "sweeps"), "small")
    assert sorted((run.key or "", run.status) for run in found) == [
        ("sweep", "FINISHED"),
        ("trial-0000", "FINISHED"),
    ]


def test_a_diverged_trial_never_wins(tmp_path: Path) -> None:
    rates = {"choice": [1e30, 1e-3], "default": 1e-3}
    override = {"optimizer/lr": rates, "optimizer/name": "rmsprop", "training/epochs": 3}
    override |= {"model/cell": "rnn_relu", "training/clip_norm": 1.0}
    search = {"trials": 2, "sampler": "grid", "metric": "loss", "scheduler": "none"}
    space = {"parameters": override}
    folder = make(tmp_path / "cut", space=space, override={}, search=search)
    done = tuner("sweep", "small.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    by_rate = {trial["optimizer/lr"]: trial for trial in trials(folder)}
    assert by_rate[1e30]["state"] == "DIVERGED" and by_rate[1e30]["rank"] is None
    assert re.search(r"epoch \d|after epoch", by_rate[1e30]["reason"])
    assert by_rate[1e30]["note"].startswith("exploding: a step's gradient was")
    found = runs(local_uri(folder / "sweeps"), "small")
    told = {run.key: run.tags.get("note.gradients") for run in found}
    noted = {f"trial-{trial['trial']:04d}": trial["note"] or None for trial in trials(folder)}
    assert told == noted | {"sweep": None}
    said = f"trial {by_rate[1e30]['trial']} {by_rate[1e30]['note']}"
    assert said in done.stdout
    assert by_rate[1e-3]["rank"] == 1
    refused = tuner("export", "small", "--trial", "1", "--to", "model", cwd=folder)
    assert refused.returncode == 2 and "DIVERGED" in refused.stderr


def test_without_a_tracking_server_one_trains_now_and_delivers_later(tmp_path: Path) -> None:
    folder = make(tmp_path / "cut", search={"trials": 2}, tracking={"uri": "http://127.0.0.1:9"})
    refused = tuner("sweep", "small.yaml", cwd=folder)
    assert refused.returncode == 2 and "--offline" in refused.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["rows.csv", "small.yaml"]
    done = tuner("sweep", "small.yaml", "--offline", cwd=folder)
    assert done.returncode == 0, done.stderr
    late = tuner("sync", "small", cwd=folder)
    assert late.returncode == 2 and "127.0.0.1" in late.stderr, "it says that it could not"
