"""A straight line from the full rate to zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tuner.training.schedules._base import ScheduleConfig

ANYTIME = False
"""Whether a trial stopped at a rung has been trained as well as the budget allowed."""


class Config(ScheduleConfig):
    """Evenly down to zero at the end of the budget."""

    name: Literal["linear"] = "linear"


def factor(config: Config, progress: float, values: Sequence[float]) -> float:
    """1 - progress."""
    return 1 - progress
