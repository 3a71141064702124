"""Every schedule: a factor within (0, 1] over the whole budget, a function of its arguments."""

from __future__ import annotations

from pathlib import Path

import made
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
    assert at("step", 0.6, factor=0.5, every=0.25) == 0.25
    assert at("stable_decay", 0.79) == 1
    assert at("stable_decay", 0.9, decay=0.2) == pytest.approx(0.5)
    assert at("stable_decay", 0.75, decay=0.5, end=0.1) == pytest.approx(0.55)
    assert at("stable_decay", 0.85, decay=0.2, shape="sqrt") == pytest.approx(0.5)
    assert at("stable_decay", 1.0, end=0.1) == pytest.approx(0.1)
    assert at("plateau", 0.5, (1, 1, 1, 1), patience=3, factor=0.5) == 0.5
    assert at("plateau", 0.5, (1, 2, 3, 4), patience=3) == 1


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.classification(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("name", registry.names("schedules"))
def test_training_follows_the_schedule(data: Path, tmp_path: Path, name: str) -> None:
    """The rate in use at the end of each epoch, after validation values that only fall."""
    module = registry.get("schedules", name)
    values = {"schedule/name": name, "optimizer/lr": 0.01, "training/epochs": 10}
    found = made.fit(data, tmp_path, values)
    told = [found.epoch(n, [-i for i in range(n - 1)])["lr"] for n in range(1, 11)]
    last = [(n - 1 / found.num_steps) for n in range(1, 11)]
    expected = [
        0.01 * module.factor(module.Config(), progress / 10, [-i for i in range(n)])
        for n, progress in enumerate(last)
    ]
    assert told == pytest.approx(expected)
    assert (len(set(told)) == 1) == (name == "constant")


@pytest.mark.parametrize("name", registry.names("schedules"))
def test_a_warm_up_comes_before_it(data: Path, tmp_path: Path, name: str) -> None:
    def rates(warmup: float) -> list[float]:
        values = {"schedule/name": name, "schedule/warmup": warmup, "training/epochs": 10}
        found = made.fit(data, tmp_path / str(warmup), values)
        return [found.epoch(number, [])["lr"] for number in range(1, 11)]

    without, with_it = rates(0.0), rates(0.5)
    assert with_it[5:] == pytest.approx(without[5:])
    shares = [w / wo for w, wo in zip(with_it[:5], without[:5], strict=True)]
    assert shares == sorted(shares) and shares[0] < 0.25 < 0.8 < shares[4] <= 1
