"""What several seeds reached: the mean, how sure it is, and whether two means differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, variance

LEVEL = 0.95
"""Confidence of every interval, and of all comparisons of one leaderboard together."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Scores of one configuration under several seeds, and the confidence interval of their mean.

    Its ends follow Student's t, and so may lie beyond what a metric can be.
    """

    values: tuple[float, ...]
    """One per seed, in the order of the seeds."""
    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        """The interval of two values or more."""
        middle = mean(values)
        half = math.sqrt(variance(values) / len(values)) * _quantile(len(values) - 1, LEVEL)
        return cls(values=tuple(values), mean=middle, low=middle - half, high=middle + half)


def differ(one: Interval, other: Interval, num_comparisons: int) -> bool:
    """Whether the interval of the difference of two means leaves out zero.

    By Welch (1947), seeds of the two being unrelated; the level is shared out among comparisons as
    Bonferroni does, so that it holds for all of them together.
    """
    errors = [variance(i.values) / len(i.values) for i in (one, other)]
    difference = abs(one.mean - other.mean)
    if not sum(errors):
        return difference > 0
    shares = [e**2 / (len(i.values) - 1) for e, i in zip(errors, (one, other), strict=True)]
    freedom = sum(errors) ** 2 / sum(shares)
    level = 1 - (1 - LEVEL) / num_comparisons
    return difference > math.sqrt(sum(errors)) * _quantile(freedom, level)


def _quantile(freedom: float, level: float) -> float:
    """How many standard errors an interval reaches to either side."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + level) / 2))
