"""SweepSpec: one sweep, read and checked; frozen in the sweep's folder."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import search_spaces
from search_spaces import Space
from tuner import registry
from tuner.config import TrialConfig
from tuner.data.config import DataConfig
from tuner.errors import CommandError, Mistake
from tuner.search.config import SearchConfig
from tuner.search.objectives import Constraint, Objective
from tuner.spec_file import VERSION, ResourcesConfig, TrackingConfig


@dataclass(frozen=True, kw_only=True)
class SweepSpec:
    """One sweep, read and checked."""

    name: str
    task: dict[str, Any]
    """The task's name and all its options."""
    data: DataConfig
    space: Space
    search: SearchConfig
    resources: ResourcesConfig
    tracking: TrackingConfig
    metric: str
    maximize: bool
    others: tuple[Objective, ...] = ()
    """Objectives beside the metric."""
    root: Path
    """Folder that relative paths start from and the user's own parts are imported from."""
    warnings: list[Mistake] = field(default_factory=list, compare=False)

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """All of them, the metric that ranks first."""
        return (Objective(name=self.metric, maximize=self.maximize), *self.others)

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """Bounds that a winner must keep."""
        return tuple(map(Constraint.parse, self.search.constraints))

    @property
    def asked(self) -> set[str]:
        """Names of all figures that objectives and constraints speak of."""
        return {o.name for o in self.objectives} | {c.name for c in self.constraints}

    @property
    def max_epochs(self) -> int:
        """The largest full budget that the space can give a trial."""
        if (parameter := self.space.parameters.get("training/epochs")) is None:
            return TrialConfig.from_values(self.space.defaults(), self.task).training.epochs
        return max(int(end) for end in parameter.domain.ends())

    def to_data(self) -> dict[str, Any]:
        """Everything as plain data: the frozen spec of a sweep's folder."""
        return {
            "version": VERSION,
            "name": self.name,
            "task": self.task,
            "data": self.data.model_dump(mode="json"),
            "space": self.space.to_data(),
            "search": self.search.model_dump(mode="json"),
            "resources": self.resources.model_dump(mode="json"),
            "tracking": self.tracking.model_dump(mode="json"),
            "metric": self.metric,
            "maximize": self.maximize,
            "others": {o.name: o.maximize for o in self.others},
            "root": str(self.root),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> SweepSpec:
        """The reverse of `to_data`.

        Raises:
            CommandError: the sweep was made by a newer version of this package.
        """
        if data["version"] > VERSION:
            raise CommandError(
                Mistake(
                    code="sweep/version",
                    rule=f"a sweep's version must be at most {VERSION}",
                    where=f"the sweep {data['name']!r}",
                    got=str(data["version"]),
                    fix="Use the newer rnn-tuner that made it.",
                )
            )
        registry.search_in(data["root"])
        return cls(
            name=data["name"],
            task=dict(data["task"]),
            data=DataConfig.model_validate(data["data"]),
            space=Space.parse(data["space"], search_spaces.load, narrowed=True),
            search=SearchConfig.model_validate(data["search"]),
            resources=ResourcesConfig.model_validate(data["resources"]),
            tracking=TrackingConfig.model_validate(data["tracking"]),
            metric=data["metric"],
            maximize=data["maximize"],
            others=tuple(
                Objective(name=name, maximize=maximize)
                for name, maximize in data.get("others", {}).items()
            ),
            root=Path(data["root"]),
        )

    def with_budget(
        self,
        *,
        trials: int | None = None,
        hours: float | None = None,
        confirm: int | None = None,
    ) -> SweepSpec:
        """The same sweep with more trials, another time limit, or more fresh seeds."""
        changes = {"trials": trials, "hours": hours, "confirm": confirm}
        wanted = {name: value for name, value in changes.items() if value is not None}
        return replace(self, search=self.search.model_copy(update=wanted))


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What changed between two frozen specs, a line per value: `path: old → new`."""
    before, after = dict(flat(old)), dict(flat(new))
    return [
        f"{path}: {before.get(path, 'absent')} → {after.get(path, 'absent')}"
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]


def flat(data: Any, path: str = "") -> Iterable[tuple[str, Any]]:
    """Nested data as `path: value`; a number is the same whether whole or not."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from flat(value, f"{path}/{key}" if path else str(key))
    elif isinstance(data, float) and math.isfinite(data) and data == int(data):
        yield path, int(data)
    else:
        yield path, data
