"""What a spec file may say: its sections as configs, and their JSON Schema."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

import search_spaces
from tuner.data.config import DataConfig
from tuner.part import Config
from tuner.search.config import SearchConfig
from tuner.training.stalls import LIMIT_SECONDS

VERSION = 1
"""Of the spec's grammar; a file may name it as `version`."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class WorkersConfig(Config):
    """As many ranks as there is room for."""

    min: int = Field(default=1, ge=1)
    """Ranks that a trial goes on with at the least."""
    max: int = Field(ge=1)
    """Ranks of a trial where there is room."""

    @model_validator(mode="after")
    def _in_order(self) -> WorkersConfig:
        if self.min > self.max:
            raise ValueError("must have a `min` that is at most its `max`")
        return self


def _kind_of_workers(given: Any) -> str | None:
    if isinstance(given, dict | WorkersConfig):
        return "range"
    return "number" if isinstance(given, int) and not isinstance(given, bool) else None


_Workers = Annotated[
    Annotated[int, Field(ge=1), Tag("number")] | Annotated[WorkersConfig, Tag("range")],
    Discriminator(
        _kind_of_workers,
        custom_error_type="workers_type",
        custom_error_message="must be a whole number, or a range such as {min: 1, max: 4}",
    ),
]


class ResourcesConfig(Config):
    """What one trial takes while it trains."""

    workers: _Workers = 1
    """DDP ranks of one trial; a range such as `{min: 1, max: 4}` lets it go on with fewer where a
    node is lost, with the same global batches."""
    cpus_per_worker: int = Field(default=1, ge=1)
    """CPUs, and so threads, of one rank."""
    gpus_per_worker: float = Field(default=0.0, ge=0)
    """GPUs of one rank: 0, a share such as 0.5, or 1."""
    stall_seconds: float = Field(default=LIMIT_SECONDS, gt=0)
    """Without a step, after which a rank counts as standing still: its trial goes on elsewhere."""

    @field_validator("gpus_per_worker")
    @classmethod
    def _whole_or_share(cls, gpus: float) -> float:
        if gpus > 1:
            raise ValueError("must be at most 1: a rank holds one device")
        return gpus

    @property
    def most(self) -> int:
        """Ranks of a trial where there is room."""
        return self.workers if isinstance(self.workers, int) else self.workers.max

    @property
    def fewest(self) -> int:
        """Ranks of a trial at the least."""
        return self.workers if isinstance(self.workers, int) else self.workers.min


class TrackingConfig(Config):
    """Where runs and artifacts go."""

    uri: str = "local"
    """`local` for MLflow on SQLite in this home, or a tracking URI; the environment variable
    MLFLOW_TRACKING_URI stands in for `local`."""


class SpecFile(Config):
    """A sweep as its file spells it: only `name`, `task` and `data` are needed."""

    version: int = VERSION
    """Version of this grammar."""
    name: str
    """Of the sweep, its folder and its MLflow experiment."""
    task: str | dict[str, Any]
    """What is learned: a name, or `{name: …}` with the task's options."""
    data: DataConfig
    """Files, columns and splits."""
    space: str | dict[str, Any] | None = None
    """A ready-made space, a YAML file beside the spec, or a space in full; the task's if absent."""
    override: dict[str, Any] = Field(default_factory=dict)
    """Parameters of the space replaced: a list is a choice, a plain value is fixed."""
    search: SearchConfig = SearchConfig()
    """Who proposes, who stops, and for how long."""
    resources: ResourcesConfig = ResourcesConfig()
    """What one trial takes."""
    tracking: TrackingConfig = TrackingConfig()
    """Where runs go."""

    @field_validator("version")
    @classmethod
    def _readable(cls, version: int) -> int:
        if not 1 <= version <= VERSION:
            raise ValueError(f"must be at most {VERSION}, the version this tuner reads")
        return version

    @field_validator("name")
    @classmethod
    def _legal(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(
                "must be 1 to 128 letters, digits, `.`, `_` or `-`, a letter or digit first"
            )
        return name

    @model_validator(mode="before")
    @classmethod
    def _is_mapping(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError("a spec must be a mapping with `name`, `task` and `data`")
        return data


def schema() -> dict[str, Any]:
    """The JSON Schema of a spec file, for editors."""
    found = SpecFile.model_json_schema()
    domain = {
        "description": "a value fixes, a list is a choice, {int|float: [low, high]} a range",
        "anyOf": [
            {"type": ["string", "number", "boolean"]},
            {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1},
            {"type": "object"},
        ],
    }
    found["properties"]["override"]["additionalProperties"] = domain
    paths = sorted({path for space in search_spaces.names() for path in _paths_of(space)})
    found["properties"]["override"]["properties"] = dict.fromkeys(paths, domain)
    found["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    found["title"] = "rnn-tuner sweep"
    return found


def _paths_of(space: str) -> list[str]:
    return list(search_spaces.load(space).parameters)
