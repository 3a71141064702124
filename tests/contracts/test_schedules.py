"""Every schedule: a factor within (0, 1] over the whole budget, a function of its arguments."""

from __future__ import annotations

import pytest

from tuner import registry

SHARES = [i / 50 for i in range(50)]


@pytest.mark.parametrize("name", registry.names("schedules"))
def test_the_factor_stays_within_bounds(name: str) -> None:
    module = registry.get("schedules", name)
    factors = [module.factor(module.Config(), share, [0.5, 0.4, 0.3]) for share in SHARES]
    assert all(0 <= factor <= 1 for factor in factors)
    assert max(factors) > 0.1
    assert factors == [module.factor(module.Config(), s, [0.5, 0.4, 0.3]) for s in SHARES]


@pytest.mark.parametrize("name", registry.names("schedules"))
def test_says_whether_it_is_an_anytime_one(name: str) -> None:
    assert registry.get("schedules", name).ANYTIME in (True, False)


def test_shapes() -> None:
    def at(name: str, share: float, values: tuple[float, ...] = (), **options: object) -> float:
        module = registry.get("schedules", name)
        return float(module.factor(module.Config(**options), share, values))

    assert at("constant", 0.7) == 1
    assert at("linear", 0.5) == pytest.approx(0.5, abs=0.01)
    assert at("cosine", 0.5) == pytest.approx(0.5, abs=0.01)
    assert at("exponential", 0.5, end=0.01) == pytest.approx(0.1)
    assert at("one_cycle", 0.0) < at("one_cycle", 0.3) > at("one_cycle", 0.95)
    assert at("plateau", 0.5, (1, 1, 1, 1), patience=3, factor=0.5) == 0.5
    assert at("plateau", 0.5, (1, 2, 3, 4), patience=3) == 1
