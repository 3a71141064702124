"""The optimizer that is rebuilt from the study: places in a range, and what it starts from."""

from __future__ import annotations

import pytest
from optuna.distributions import FloatDistribution, IntDistribution

from tuner.search.cmaes import _share, _unit


@pytest.mark.parametrize(
    ("distribution", "unit", "share"),
    [
        (FloatDistribution(0.0, 2.0), 0.5, 0.25),
        (FloatDistribution(1e-4, 1e-2, log=True), 1e-3, 0.5),
        (IntDistribution(1, 4), 1, 0.125),
        (IntDistribution(1, 4), 4, 0.875),
    ],
)
def test_places_in_a_range(
    distribution: FloatDistribution | IntDistribution, unit: float, share: float
) -> None:
    assert _share(distribution, unit) == pytest.approx(share)
    assert _unit(distribution, share) == pytest.approx(unit)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999, 1.0])
def test_units_stay_inside(share: float) -> None:
    for distribution in (
        IntDistribution(4, 32, log=True),
        IntDistribution(1, 3),
        FloatDistribution(1e-4, 1e-1, log=True),
    ):
        unit = _unit(distribution, share)
        assert distribution.low <= unit <= distribution.high
        assert distribution._contains(unit)
