"""The rate falls by the same share in every part of the budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from tuner.training.schedules._base import ScheduleConfig

ANYTIME = True
"""Whether a trial stopped at a rung has been trained as well as the budget allowed."""


class Config(ScheduleConfig):
    """A smooth fall to a chosen end."""

    name: Literal["exponential"] = "exponential"
    end: float = Field(default=0.01, gt=0, le=1)
    """What is left of the rate at the end of the budget."""


def factor(config: Config, progress: float, values: Sequence[float]) -> float:
    """end ^ progress."""
    left: float = config.end**progress
    return left
