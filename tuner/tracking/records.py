"""What the outbox holds: one small record per thing told, in JSON told apart by `kind`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

Status = Literal["FINISHED", "FAILED", "KILLED"]
"""How MLflow says that a run has ended."""

MAX_PARAM_LENGTH = 6000
MAX_TAG_LENGTH = 8000
"""MLflow's limits in characters; a test compares them with the installed version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first record: which sweep this is, whatever the server calls its runs."""

    uid: str
    experiment: str
    kind: Literal["header"] = "header"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A run opened, or opened again."""

    key: str
    name: str
    parent: str | None
    time_ms: int
    kind: Literal["run_started"] = "run_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """Settings of a run, already as text."""

    key: str
    values: dict[str, str]
    kind: Literal["params"] = "params"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """Tags of a run; later ones replace earlier ones."""

    key: str
    values: dict[str, str]
    kind: Literal["tags"] = "tags"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """One point of several curves. The time is fixed here: a replay must repeat it exactly."""

    key: str
    step: int
    time_ms: int
    values: dict[str, float]
    kind: Literal["metrics"] = "metrics"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file or folder; `path` is relative to the sweep's folder if it lies within."""

    key: str
    path: str
    folder: str
    kind: Literal["artifact"] = "artifact"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The data that a run trained on."""

    key: str
    name: str
    digest: str
    source: str
    schema: str
    profile: str
    kind: Literal["dataset"] = "dataset"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A way to look at the experiment's runs; a later one of its id replaces it."""

    key: str
    """The run that tells of it."""
    id: str
    name: str
    """What the UI lists it as."""
    state: str
    """What it shows, as the UI keeps it."""
    time_ms: int
    kind: Literal["view"] = "view"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded:
    """A run closed."""

    key: str
    status: Status
    time_ms: int
    kind: Literal["run_ended"] = "run_ended"


RunRecord = RunStarted | Params | Tags | Metrics | Artifact | Dataset | View | RunEnded
Record = Header | RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the outbox."""

    number: int
    """Counts up from 1 over the life of the outbox."""
    record: Annotated[Record, Field(discriminator="kind")]


_ENTRY = TypeAdapter(Entry)


def encode(entry: Entry) -> bytes:
    """One line, its end included."""
    return _ENTRY.dump_json(entry) + b"\n"


def decode(line: bytes) -> Entry:
    """The entry of one line.

    Raises:
        ValueError: not an entry, or not a whole one.
    """
    return _ENTRY.validate_json(line)
