"""A job as a process of this machine: in a session of its own, so that a closed terminal or an
ended login does not reach it.

A laptop needs no server for this: Ray Jobs would keep a cluster running between sweeps.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cluster.jobs.job import Job, Phase
from cluster.refused import Refused

_ADOPTED: dict[int, subprocess.Popen[bytes]] = {}
"""Processes that this one started: they must be waited for to be seen ended."""


def submit(command: Sequence[str], log: Path) -> Job:
    """Starts the command; what it says is added to a file."""
    with log.open("ab") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _ADOPTED[process.pid] = process
    mark = _mark(str(process.pid)) or ""
    return Job(kind="process", id=str(process.pid), place=socket.gethostname(), mark=mark)


def phase(job: Job) -> Phase:
    """Whether the process is there; of another machine's, nothing is known but that it began."""
    if job.place != socket.gethostname():
        return Phase.RUNNING
    if (ours := _ADOPTED.get(int(job.id))) is not None:
        return Phase.RUNNING if ours.poll() is None else Phase.ENDED
    mark = _mark(job.id)
    return Phase.ENDED if mark is None or job.mark not in ("", mark) else Phase.RUNNING


def stop(job: Job) -> None:
    """Asks the process to stop in order; one that has just ended need not be asked.

    Raises:
        Refused: it is another user's.
    """
    try:
        os.kill(int(job.id), signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError:
        raise Refused(
            "a process must be stopped by whom it belongs to",
            f"{job} of another user",
            "Ask whoever started it.",
            code="sweep/not-yours",
            where="this machine",
        ) from None


def _mark(pid: str) -> str | None:
    """When a process began, in the kernel's ticks; None if there is none, or only its remains."""
    try:
        text = Path("/proc", pid, "stat").read_text()
    except OSError:
        return None
    # The name in parentheses may hold spaces; the state is the 3rd field, the start the 22nd.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]
