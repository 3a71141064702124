"""A rank that follows the first one in a process of its own, for gangs without Ray.

The job comes as JSON on standard input; the process ends with the job.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from cluster.network import free_port, use_interface_of
from tuner.errors import TrialEnded
from tuner.training.job import Job
from tuner.training.rank import Rank

_ADDRESS = "127.0.0.1"
_END_SECONDS = 30.0


@contextmanager
def gang(job: Job, epochs: int, *, size: int, threads: int) -> Iterator[Rank]:
    """The first rank of a gang on this machine, whose others train so many epochs of a job.

    A gang of one is a rank alone, with neither processes nor a process group.
    """
    rank = Rank("cpu", threads)
    if size == 1:
        yield rank
        return
    use_interface_of(_ADDRESS)
    port = free_port(_ADDRESS)
    told = {"size": size, "threads": threads, "port": port, "job": asdict(job), "epochs": epochs}
    others = [_started(told | {"rank": number}) for number in range(1, size)]
    try:
        rank.join(0, size, f"tcp://{_ADDRESS}:{port}")
        yield rank
    finally:
        # What the others still wait for then fails at once.
        rank.leave()
        for process in others:
            try:
                process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _started(told: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(told).encode())
    process.stdin.close()
    return process


def _follow(told: Mapping[str, Any]) -> None:
    rank = Rank("cpu", told["threads"])
    rank.join(told["rank"], told["size"], f"tcp://{_ADDRESS}:{told['port']}")
    try:
        rank.start(Job(**told["job"] | {"parts": tuple(told["job"]["parts"])}))
        for _ in range(told["epochs"]):
            rank.epoch()
        rank.stop()
    except TrialEnded:
        # All ranks alike; the first one tells.
        pass
    finally:
        rank.leave()


if __name__ == "__main__":
    _follow(json.loads(sys.stdin.buffer.read()))
