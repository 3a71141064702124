"""SIGKILLs at random moments of a sweep, each followed by `tuner resume`: what is lost, and what
happens twice.

    python benchmarks/kills.py [--kills 10] [--trials 120] [--seed 0] [--lanes 1|2]

One sweep runs undisturbed. A second one of the same spec has its driver killed again and again, at
moments drawn from the seed, and is resumed each time until it has been killed often enough. With
one lane the two must end with the same suggestions, the same values and the same weights. A
finished trial counts as run again if its record changed or its weights were written again; an
epoch counts as repeated if it was told and lies behind the checkpoint that its trial goes on from.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NAME = "killed"
LONGEST_SECONDS = 25.0
"""Latest moment of a kill after the command began; Ray alone takes some five seconds."""


def write_data(path: Path) -> None:
    """Noisy sequences whose class is the feature that drifts."""
    rng = np.random.default_rng(0)
    num, steps, features = 600, 16, 4
    label = np.arange(num) % features
    x = rng.normal(size=(num, steps, features)).astype(np.float32)
    x[np.arange(num), :, label] += 0.25
    columns: dict[str, Any] = {
        "id": np.repeat(np.arange(num), steps),
        "label": np.repeat(label, steps),
    }
    pq.write_table(pa.table(columns | {f"x{f}": x[:, :, f].ravel() for f in range(features)}), path)


def write_spec(folder: Path, trials: int) -> None:
    """Some two seconds a trial, most stopped early."""
    spec = {
        "name": NAME,
        "task": "classification",
        "data": {"train": "rows.parquet", "id": "id", "target": "label", "test": 0.2},
        "override": {"model/hidden_size": {"int": [16, 64]}, "training/epochs": 18},
        "search": {"trials": trials, "seed": 11, "startup": 6, "grace": 2},
    }
    (folder / "spec.yaml").write_text(json.dumps(spec))


class Machine:
    """Runs commands on a fixed number of CPUs, so that a fixed number of lanes fits."""

    def __init__(self, folder: Path, lanes: int) -> None:
        self.folder = folder
        self.cpus = sorted(os.sched_getaffinity(0))[:lanes]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tuner", *arguments],
            cwd=self.folder,
            env=os.environ | {"OMP_NUM_THREADS": "1", "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, self.cpus),
        )

    def run(self, *arguments: str) -> str:
        process = self.start(*arguments)
        out, error = process.communicate(timeout=900)
        assert process.returncode == 0, error
        return out

    @property
    def sweep(self) -> Path:
        return self.folder / "sweeps" / NAME

    def trials(self) -> list[dict[str, Any]]:
        """The trials as the leaderboard shows them, by number and without their ranks, which a
        later trial moves; none before the sweep exists.
        """
        if not (self.sweep / "spec.json").exists():
            return []
        board = json.loads(self.run("leaderboard", NAME, "--format", "json"))
        trials = [{k: v for k, v in t.items() if k != "rank"} for t in board["trials"]]
        return sorted(trials, key=lambda trial: trial["trial"])

    def epochs_behind(self, running: set[int]) -> int:
        """Epochs told of unfinished trials that lie behind the newest checkpoint."""
        behind = 0
        for number in running:
            folder = self.sweep / "trials" / f"{number:04d}"
            saved = [int(path.stem[6:]) for path in folder.glob("epoch-*.json")]
            curve = folder / "curve.csv"
            told = curve.read_text().count("\n") - 1 if curve.exists() else 0
            behind += max(told - max(saved, default=0), 0)
        return behind

    def written(self) -> dict[int, int]:
        """Trial → when its best weights were written."""
        paths = self.sweep.glob("trials/*/best.json")
        return {int(path.parent.name): path.stat().st_mtime_ns for path in paths}

    def weights(self) -> dict[str, str]:
        """Digest of each trial's best weights."""
        return {
            path.parent.name: json.loads(path.read_text())["sha256"]
            for path in self.sweep.glob("trials/*/best.json")
        }


def kill_often(machine: Machine, kills: int, seed: int) -> dict[str, Any]:
    """Kills and resumes; counts what went wrong on the way."""
    moments = random.Random(seed)
    rerun, behind, done = 0, 0, 0
    seconds: list[float] = []
    command = ["sweep", "spec.yaml"]
    while done < kills:
        before = {t["trial"]: t for t in machine.trials() if t["state"] != "RUNNING"}
        written = machine.written()
        process = machine.start(*command)
        moment = moments.uniform(0.5, LONGEST_SECONDS)
        time.sleep(moment)
        if process.poll() is not None:
            break
        process.kill()
        process.communicate()
        done += 1
        seconds.append(round(moment, 1))
        after = {t["trial"]: t for t in machine.trials()}
        rerun += sum(after[n] != trial for n, trial in before.items())
        rerun += sum(machine.written()[n] != written[n] for n in before.keys() & written.keys())
        behind += machine.epochs_behind({n for n, t in after.items() if t["state"] == "RUNNING"})
        if (machine.sweep / "spec.json").exists():
            command = ["resume", NAME]
        print(f"kill {done} after {moment:.1f} s: {len(before)} trials were over", flush=True)
    machine.run(*command)
    return {
        "kills": done,
        "moments": seconds,
        "finished_trials_rerun": rerun,
        "epochs_repeated": behind,
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--trials", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lanes", type=int, default=2)
    options = parser.parse_args()

    from tuner.tracking.reader import runs
    from tuner.tracking.uri import local_uri

    with tempfile.TemporaryDirectory() as scratch:
        machines = []
        for name in ("undisturbed", "killed"):
            folder = Path(scratch) / name
            folder.mkdir()
            write_data(folder / "rows.parquet")
            write_spec(folder, options.trials)
            machines.append(Machine(folder, options.lanes))
        undisturbed, killed = machines
        undisturbed.run("sweep", "spec.yaml")
        found = kill_often(killed, options.kills, options.seed)
        tracked = runs(local_uri(killed.folder / "sweeps"), NAME)
        keys = Counter(run.key for run in tracked)
        found |= {
            "lanes": options.lanes,
            "trials": len(killed.trials()),
            "runs_doubled": sum(count - 1 for count in keys.values()),
            "runs_left_running": sum(run.status == "RUNNING" for run in tracked),
            "trials_left_running": sum(t["state"] == "RUNNING" for t in killed.trials()),
            "epochs": sum(trial["epochs"] for trial in killed.trials()),
        }
        if options.lanes == 1:
            skipped = ("seconds",)
            ours, theirs = (
                [
                    {k: v for k, v in t.items() if k not in skipped and "rows_per" not in k}
                    for t in m
                ]
                for m in (killed.trials(), undisturbed.trials())
            )
            found["same_trials_as_undisturbed"] = ours == theirs
            mine, whole = killed.weights(), undisturbed.weights()
            found["same_weights_as_undisturbed"] = all(whole[n] == d for n, d in mine.items())
            # Of trials that were stopped in the moment of a kill: an export trains them again.
            found["weights_lost"] = len(whole.keys() - mine.keys())
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
