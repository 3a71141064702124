"""Axes: where values lie, and what is written along them."""

from __future__ import annotations

import math

import pytest

from tuner.plots.scale import Beside, Choices, Linear, Log, Scale, of_scores, spanning


@pytest.mark.parametrize(
    "scale",
    [
        Linear(0.0, 1.0),
        Linear(-3e-7, 4e-7),
        Linear(0.91, 0.93),
        Linear(5.0, 5.0),
        Log(1e-4, 0.1),
        Log(0.2, 0.3),
        Log(1e-12, 1e9),
        Log(2.0, 2.0),
        Choices(("a", True, 1)),
        Beside(0, "0", Log(0.1, 10.0)),
    ],
    ids=str,
)
def test_ticks_are_few_and_rise_within_the_axis(scale: Scale) -> None:
    ticks = scale.ticks()
    places = [tick.place for tick in ticks]
    assert 1 <= len(ticks) <= 12
    assert places == sorted(places) and all(0 <= place <= 1 for place in places)
    assert len({tick.text for tick in ticks}) == len(ticks)


def test_what_an_axis_does_not_hold_has_no_place() -> None:
    for value in (math.nan, math.inf, -1, 2, "a", None, True):
        assert Linear(0.0, 1.0).at(value) is None
    assert Choices((1, "1")).at(True) is None
    assert Choices((1, "1")).at("1") == 0.75


def test_equal_ratios_are_equally_long() -> None:
    scale = Log(1e-4, 1.0)
    assert scale.at(1e-2) == pytest.approx(0.5)
    assert Beside(0, "0", scale).at(0) < Beside(0, "0", scale).at(1e-4)  # type: ignore[operator]


def test_far_outliers_lie_at_the_edge_and_do_not_squash_the_rest() -> None:
    scores = [0.5 + 0.01 * i for i in range(20)] + [1e9, math.nan, math.inf]
    scale = of_scores(scores, maximize=False)
    assert scale.at(1e9) == 1.0 and scale.at(math.nan) is None
    low, high = scale.at(0.5), scale.at(0.69)
    assert low is not None and high is not None and high - low > 0.3


def test_nothing_finite_is_an_empty_axis() -> None:
    assert spanning([math.nan]) == Linear(0.0, 1.0)
