"""Up to the full rate and down to almost nothing (Smith and Topin, 2018)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from tuner.training.schedules._base import ScheduleConfig

ANYTIME = False
"""Whether a trial stopped at a rung has been trained as well as the budget allowed."""


class Config(ScheduleConfig):
    """One rise, one fall."""

    name: Literal["one_cycle"] = "one_cycle"
    peak: float = Field(default=0.3, gt=0, lt=1)
    """Where in the budget the full rate is reached."""
    start: float = Field(default=0.04, gt=0, lt=1)
    """The first rate as a share of the full one."""
    end: float = Field(default=4e-6, gt=0, lt=1)
    """The last rate as a share of the full one."""


def factor(config: Config, progress: float, values: Sequence[float]) -> float:
    """Cosine from `start` to 1 at `peak`, then cosine to `end`."""
    if progress < config.peak:
        low, share = config.start, progress / config.peak
    else:
        low, share = config.end, (1 - progress) / (1 - config.peak)
    return low + (1 - low) * (1 - math.cos(math.pi * share)) / 2
