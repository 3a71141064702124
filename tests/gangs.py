"""Gangs of real gloo processes on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cluster.network import free_port
from tuner.training.job import Job

SCRIPT = Path(__file__).parent / "tuner" / "training" / "gang.py"


def train(
    folder: Path, jobs: Sequence[Job], size: int, micro_batches: Mapping[int, int] | None = None
) -> list[list[dict[str, Any]]]:
    """What each rank of one gang saw of each job; some jobs, by their places, in small pieces."""
    small = micro_batches or {}
    given = [
        asdict(replace(job, parts=())) | {"micro_batch": small.get(place)}
        for place, job in enumerate(jobs)
    ]
    (folder / "jobs.json").write_text(json.dumps(given))
    address = f"tcp://127.0.0.1:{free_port('127.0.0.1')}"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    ranks = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(rank), str(size), address, str(folder)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    for rank in ranks:
        _, error = rank.communicate(timeout=120)
        assert rank.returncode == 0, error
    return [json.loads((folder / f"{rank}of{size}.json").read_text()) for rank in range(size)]
