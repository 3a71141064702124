"""Runs the command as a user does, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "TUNE"))} | {
    "OMP_NUM_THREADS": "1",
    "NO_COLOR": "1",
}


def tuner(
    *arguments: str, cwd: Path, timeout: float = 400, cpus: set[int] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs one command to its end, on some CPUs if named; state lies in `cwd/sweeps`."""
    return subprocess.run(
        [sys.executable, "-m", "tuner", *arguments],
        cwd=cwd,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=timeout,
        preexec_fn=cpus and (lambda: os.sched_setaffinity(0, cpus)),
    )


def write_spec(path: Path, **changes: Any) -> Path:
    """A small classification sweep on `rows.csv` beside it; `changes` replace its sections."""
    spec: dict[str, Any] = {
        "name": path.stem,
        "task": "classification",
        "data": {"train": "rows.csv", "id": "id", "time": "step", "target": "label", "test": 0.2},
        "override": {
            "model/hidden_size": [4, 8, 12],
            "model/layers": 1,
            "training/epochs": 4,
            "training/batch_size": 16,
        },
        "search": {"trials": 6, "seed": 3},
    }
    path.write_text(yaml.safe_dump(spec | changes))
    return path
