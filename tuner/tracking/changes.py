"""What one delivery makes and changes, run by run."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import uuid4

from tuner.tracking.batch import Batch


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A run to make, RUNNING."""

    name: str
    start_ms: int
    tags: dict[str, str]
    run_id: str = field(default_factory=lambda: uuid4().hex)


@dataclass
class Change:
    """All that was told of one run, but its files and data."""

    batch: Batch = field(default_factory=Batch)
    status: str | None = None
    end_ms: int | None = None
