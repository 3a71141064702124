"""The learning rate as it is: good at any time, so the default under halving."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tuner.training.schedules._base import ScheduleConfig

ANYTIME = True
"""Whether a trial stopped at a rung has been trained as well as the budget allowed."""


class Config(ScheduleConfig):
    """No change after the warm-up."""

    name: Literal["constant"] = "constant"


def factor(config: Config, progress: float, values: Sequence[float]) -> float:
    """1, always."""
    return 1.0
