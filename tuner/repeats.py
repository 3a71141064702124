"""Fresh seeds for the best configurations, as they are kept in a sweep's folder.

The best of many trials is partly the luckiest: its score is too good by selection. So the
configurations in front are trained again on seeds that no search has looked at, and those decide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tuner.files import write_text
from tuner.outcome import Outcome, outcome_from_json, outcome_to_json

FILE = "repeats.json"


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """A trial's configuration, trained once more on a fresh seed."""

    outcome: Outcome
    """As a trial's, by validation data."""
    test: Mapping[str, float] = field(default_factory=dict)
    """Metrics on test data, which choose nothing; empty where there are none."""


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """Who competes, on which seeds, and what has been trained so far."""

    candidates: tuple[int, ...] = ()
    """Trials that compete, by their rank in the search; none before the search is over."""
    seeds: tuple[int, ...] = ()
    trained: Mapping[int, Mapping[int, Repeat]] = field(default_factory=dict)
    """Trial → seed → what came of it; kept also of trials that compete no longer."""

    @property
    def complete(self) -> bool:
        """Whether all candidates have been trained on all seeds: only then they can be compared."""
        return bool(self.candidates) and not self.missing()

    def missing(self) -> list[tuple[int, int]]:
        """Trial and seed of what is still to be trained, seed by seed, so that whenever time runs
        out all candidates have had as many.
        """
        return [(n, s) for s in self.seeds for n in self.candidates if s not in self.of(n)]

    def of(self, number: int) -> Mapping[int, Repeat]:
        """Seed → what came of it, of one trial."""
        return self.trained.get(number, {})

    def with_repeat(self, number: int, seed: int, repeat: Repeat) -> Repeats:
        """One more, or one anew."""
        mine = dict(self.of(number)) | {seed: repeat}
        return replace(self, trained=dict(self.trained) | {number: mine})

    def write(self, folder: Path) -> None:
        """Replaces what a sweep's folder holds."""
        trained = {
            str(number): {
                str(seed): {"outcome": outcome_to_json(r.outcome), "test": dict(r.test)}
                for seed, r in seeds.items()
            }
            for number, seeds in self.trained.items()
        }
        data = {"candidates": self.candidates, "seeds": self.seeds, "trained": trained}
        write_text(folder / FILE, json.dumps(data, indent=1))

    @classmethod
    def read(cls, folder: Path) -> Repeats:
        """What a sweep's folder holds; nothing before the first."""
        if not (folder / FILE).exists():
            return cls()
        data = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return cls(
            candidates=tuple(data["candidates"]),
            seeds=tuple(data["seeds"]),
            trained={
                int(number): {
                    int(seed): Repeat(outcome=outcome_from_json(r["outcome"]), test=r["test"])
                    for seed, r in seeds.items()
                }
                for number, seeds in data["trained"].items()
            },
        )
