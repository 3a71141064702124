"""The rules one by one: how many go on, in which bracket, against whom."""

from __future__ import annotations

from collections import Counter

import pytest

from tuner.search.config import SearchConfig
from tuner.search.schedulers import Asha, Hyperband, Median


def config(**changes: object) -> SearchConfig:
    return SearchConfig.model_validate({"startup": 3} | changes)


def test_asha_judges_at_powers_of_the_reduction() -> None:
    assert Asha(config(), 30).rungs(0) == (1, 3, 9, 27)
    assert Asha(config(), 27).rungs(0) == (1, 3, 9)
    assert Asha(config(grace=4, reduction=2), 30).rungs(5) == (4, 8, 16)


def test_asha_lets_one_in_three_go_on() -> None:
    rule = Asha(config(), 30)
    for number in range(9):
        rule.report(number, 1, loss=float(number))

    assert not rule.report(9, 1, loss=1.5)
    assert rule.report(10, 1, loss=2.5)


def test_asha_compares_equals_as_equals() -> None:
    rule = Asha(config(), 30)

    assert not any(rule.report(number, 1, loss=0.5) for number in range(10))


def test_an_ended_trial_keeps_what_it_had_at_earlier_rungs() -> None:
    rule = Asha(config(), 30)
    rule.report(0, 1, loss=5.0)
    rule.ended(0, loss=1.0)

    assert not rule.report(1, 1, loss=2.0)
    assert rule.report(1, 3, loss=2.0)


def test_hyperband_gives_each_bracket_the_same_budget() -> None:
    rule = Hyperband(config(), 27)
    sizes = Counter(rule.bracket(number) for number in range(4096))

    assert rule.brackets == [(1, 3, 9), (3, 9), (9,), ()]
    # Li et al. (2018), R = 27: 27, 12, 6 and 4 configurations, before rounding.
    wanted = [27 / 4, 9 / 3, 3 / 2, 1]
    for bracket, weight in enumerate(wanted):
        assert sizes[bracket] / 4096 == pytest.approx(weight / sum(wanted), abs=0.01)


def test_hyperband_judges_brackets_apart() -> None:
    rule = Hyperband(config(), 27)
    hasty = [n for n in range(64) if rule.bracket(n) == 0][:5]
    patient = next(n for n in range(64) if rule.bracket(n) == 1)
    for number in hasty:
        rule.report(number, 3, loss=0.1)

    assert not rule.report(patient, 3, loss=0.9)


def test_median_waits_for_enough_others() -> None:
    rule = Median(config(), 20)

    assert [rule.report(n, 5, loss=float(n)) for n in range(3)] == [False] * 3
    assert rule.report(3, 5, loss=1.5)
    assert not rule.report(4, 5, loss=1.0)
    assert not rule.report(5, 6, loss=99.0)
