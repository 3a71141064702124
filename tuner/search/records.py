"""What the study remembers of each trial."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from search_spaces import Values
from tuner.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """One configuration to train."""

    number: int
    """The trial's number in the study; gaps are suggestions that had been made before."""
    values: Values


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One trial as the study holds it."""

    number: int
    values: Values
    outcome: Outcome | None
    """None while the trial is running, or was when its sweep was interrupted."""
    rungs: dict[int, float]
    """Epoch → best value so far, where the scheduler looked."""
    ended: datetime | None = None
    """When it ended, if it has."""
