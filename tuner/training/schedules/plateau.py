"""The rate cut whenever the validation value has not improved for a while."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from tuner.training.schedules._base import ScheduleConfig

ANYTIME = True
"""Whether a trial stopped at a rung has been trained as well as the budget allowed."""


class Config(ScheduleConfig):
    """Cuts on standstill."""

    name: Literal["plateau"] = "plateau"
    factor: float = Field(default=0.5, gt=0, lt=1)
    """What one cut leaves of the rate."""
    patience: int = Field(default=3, ge=1)
    """Epochs without a better value before a cut."""


def factor(config: Config, progress: float, values: Sequence[float]) -> float:
    """factor ^ (cuts so far), counted anew from the values."""
    best, stale, cuts = float("-inf"), 0, 0
    for value in values:
        if value > best:
            best, stale = value, 0
        else:
            stale += 1
        if stale == config.patience:
            cuts, stale = cuts + 1, 0
    return config.factor**cuts
