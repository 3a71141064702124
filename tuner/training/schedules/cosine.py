"""Half a cosine from the full rate to zero (Loshchilov and Hutter, 2017)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from tuner.training.schedules._base import ScheduleConfig

ANYTIME = False
"""Whether a trial stopped at a rung has been trained as well as the budget allowed."""


class Config(ScheduleConfig):
    """Slow, fast, slow down to zero at the end of the budget."""

    name: Literal["cosine"] = "cosine"


def factor(config: Config, progress: float, values: Sequence[float]) -> float:
    """(1 + cos(pi x progress)) / 2."""
    return (1 + math.cos(math.pi * progress)) / 2
