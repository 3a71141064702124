"""Intervals over seeds, against their definitions and scipy's tests."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tuner.results.interval import Interval, differ


def test_the_interval_is_students() -> None:
    values = [0.91, 0.93, 0.9]
    found = Interval.of(values)
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert (found.mean, found.low, found.high) == pytest.approx((np.mean(values), low, high))
    assert found.values == (0.91, 0.93, 0.9)


@pytest.mark.parametrize("distance", [0.0, 0.02, 0.04, 0.06, 0.1])
@pytest.mark.parametrize("num_comparisons", [1, 2])
def test_means_differ_as_welchs_test_says(distance: float, num_comparisons: int) -> None:
    one, other = [0.91, 0.93, 0.9], [0.92 - distance, 0.90 - distance, 0.915 - distance, 0.9]
    p = stats.ttest_ind(one, other, equal_var=False).pvalue
    found = differ(Interval.of(one), Interval.of(other), num_comparisons)
    assert found == (p < 0.05 / num_comparisons)
    assert found == differ(Interval.of(other), Interval.of(one), num_comparisons)


def test_seeds_that_all_agree_differ_if_their_means_do() -> None:
    same, other = Interval.of([1.0, 1.0, 1.0]), Interval.of([0.9, 0.9, 0.9])
    assert (same.low, same.high) == (1.0, 1.0)
    assert not differ(same, same, 1)
    assert differ(same, other, 1)
