"""What a lane is told to train: plain data, the same for every rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuner.training.stalls import LIMIT_SECONDS


@dataclass(frozen=True, kw_only=True)
class Remote:
    """The copy of a sweep's folder in an object store, where nodes see no folder of it."""

    uri: str
    folder: str
    """The sweep's folder where its driver runs: what a job names below it is below the URI."""
    digests: dict[str, str]
    """Of what never changes there, `data` and `parts`."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One trial, or one final model."""

    data: str
    """Folder of the prepared data."""
    folder: str
    """Folder of this trial's checkpoints."""
    task: dict[str, Any]
    """Name and options of the task."""
    values: dict[str, Any]
    """The trial's parameters by path; what they leave out takes its default."""
    metric: str
    maximize: bool
    refit_epochs: int | None = None
    """Train this long on all training rows, without validation; None for a search trial."""
    until: int | None = None
    """Epochs after which it ends, where that is before its full budget; its schedules keep to the
    full one."""
    parts: tuple[str, ...] = ()
    """Folders that hold the user's own parts, for the import path."""
    stall_seconds: float = LIMIT_SECONDS
    """Without a step, after which a rank counts as standing still."""
    remote: Remote | None = None
    """Where all of these lie if the nodes share no disk."""
