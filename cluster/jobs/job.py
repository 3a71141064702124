"""A job: one command that runs on without whoever started it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Job:
    """Where a command runs, and what it is called there: no secrets, to be kept in a file."""

    kind: Literal["process", "ray", "slurm"]
    id: str
    """Of the process, of the submission, or Slurm's number."""
    place: str
    """The host, or the job server's address."""
    mark: str = ""
    """What tells a process from a later one of its number; not looked at if empty."""
    via: str = ""
    """Whom ssh must reach on the way to the job server; nobody if empty."""
    token_file: str = ""
    """Of the cluster; never the token itself."""

    def __str__(self) -> str:
        match self.kind:
            case "process":
                return f"process {self.id} on {self.place}"
            case "ray":
                on = f" on {self.via}" if self.via else ""
                return f"job {self.id} at {self.place}{on}"
            case "slurm":
                return f"Slurm job {self.id}"


class Phase(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"
