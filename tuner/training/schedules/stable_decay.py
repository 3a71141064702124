"""Warm-up, a long stay, a short fall: WSD (Hu et al., 2024; the root's shape: Hägele et al., 2024).

The rate is known before the budget is: more epochs lengthen the stay and leave the rest as it was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from tuner.training.schedules._base import ScheduleConfig

ANYTIME = False
"""Whether a trial stopped at a rung has been trained as well as the budget allowed."""


class Config(ScheduleConfig):
    """The full rate until the last part of the budget."""

    name: Literal["stable_decay"] = "stable_decay"
    decay: float = Field(default=0.2, gt=0, le=1)
    """Share of the full budget, its last, over which the rate falls."""
    end: float = Field(default=0.0, ge=0, lt=1)
    """What is left of the rate at the end of the budget."""
    shape: Literal["linear", "sqrt"] = "linear"
    """How it falls: evenly, or with the square root of the fall's progress, fast at first."""


def factor(config: Config, progress: float, values: Sequence[float]) -> float:
    """1, then 1 - (1 - end) x share, or the share's root."""
    share = max(0.0, 1 - (1 - progress) / config.decay)
    fallen = math.sqrt(share) if config.shape == "sqrt" else share
    return 1 - (1 - config.end) * fallen
