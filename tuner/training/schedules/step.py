"""The rate cut by a factor at equal shares of the budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from tuner.training.schedules._base import ScheduleConfig

ANYTIME = True
"""Whether a trial stopped at a rung has been trained as well as the budget allowed."""


class Config(ScheduleConfig):
    """Stairs."""

    name: Literal["step"] = "step"
    factor: float = Field(default=0.5, gt=0, lt=1)
    """What one stair leaves of the rate."""
    every: float = Field(default=0.25, gt=0, le=1)
    """Length of one stair as a share of the full budget."""


def factor(config: Config, progress: float, values: Sequence[float]) -> float:
    """factor ^ (stairs behind us)."""
    return config.factor ** int(progress / config.every + 1e-9)
