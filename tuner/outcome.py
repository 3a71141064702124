"""How a trial ends: seven states kept apart, each with its reason; and their spelling as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """What became of a trial."""

    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    PRUNED = "PRUNED"
    DIVERGED = "DIVERGED"
    INFEASIBLE = "INFEASIBLE"
    TIMEOUT = "TIMEOUT"
    FAILED = "FAILED"
    KILLED = "KILLED"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The end of one trial, as told to the study, the tracking server and the leaderboard."""

    state: State
    value: float | None = None
    """Best value of the sweep's metric on validation data, finite or None."""
    best_epoch: int | None = None
    epochs: int = 0
    seconds: float = 0.0
    """Wall seconds of training and validation, waiting excluded, over all attempts."""
    reason: str = ""
    """One line: why it ended, with the rung for PRUNED and the cause for the others."""
    metrics: dict[str, float] = field(default_factory=dict)
    """All validation metrics at the best epoch."""
    note: str = ""
    """One line: what its gradients suffered from, if from anything."""
    costs: dict[str, float] = field(default_factory=dict)
    """What the model costs, whatever it has learned: parameters, bytes, and latency if asked for;
    empty where none was built."""

    def __post_init__(self) -> None:
        assert self.state is not State.RUNNING, "an outcome is an end"
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"an outcome's value must be finite or None; got {self.value}")

    @property
    def usable(self) -> bool:
        """Whether the trial may stand on the leaderboard's ranked part."""
        return self.value is not None and self.state in _RANKED


def tie_breaker(metrics: Mapping[str, float]) -> float:
    """The loss on validation rows, which tells apart what scores equally; 0 where a task has none.

    Few rows know few values of an accuracy or an error rate, and many models reach the best one.
    """
    return metrics.get("loss", 0.0)


_RANKED = {State.COMPLETE, State.PRUNED, State.TIMEOUT}


def outcome_to_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain data."""
    return asdict(outcome) | {"state": outcome.state.value}


def outcome_from_json(data: Mapping[str, Any]) -> Outcome:
    """The outcome that `outcome_to_json` spelled."""
    return Outcome(**{**data, "state": State(data["state"])})
