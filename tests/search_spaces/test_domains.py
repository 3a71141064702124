"""Domains check themselves, and give ends, points and shares on their own scale."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from search_spaces import Choice, Fixed, Float, Int, SpaceErrors


def codes(kind: type[Any], **fields: Any) -> list[str]:
    with pytest.raises(SpaceErrors) as caught:
        kind(**fields)
    return [error.code for error in caught.value.errors]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"low": 2.0, "high": 1.0, "default": 1.0}, "space/reversed"),
        ({"low": 0.0, "high": 1.0, "default": 1.0, "log": True}, "space/log"),
        ({"low": math.nan, "high": 1.0, "default": 1.0}, "space/bound"),
        ({"low": 0.0, "high": math.inf, "default": 1.0}, "space/bound"),
        ({"low": 0.0, "high": 1.0, "default": 2.0}, "space/default"),
        ({"low": 0.0, "high": 1.0, "default": 0.0, "beside": 0.5}, "space/or"),
    ],
)
def test_float_refuses(fields: dict[str, Any], code: str) -> None:
    assert codes(Float, **fields) == [code]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"low": 10, "high": 32, "default": 32, "multiple_of": 8}, "space/step"),
        ({"low": 16, "high": 100, "default": 16, "power_of_2": True}, "space/step"),
        ({"low": 8, "high": 16, "default": 8, "multiple_of": 0}, "space/step"),
        (
            {"low": 8, "high": 16, "default": 8, "multiple_of": 8, "power_of_2": True},
            "space/two-steps",
        ),
        ({"low": 8, "high": 16, "default": 9, "multiple_of": 8}, "space/default"),
    ],
)
def test_int_refuses(fields: dict[str, Any], code: str) -> None:
    assert codes(Int, **fields) == [code]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), "space/empty-choice"),
        (("a", "b", "a"), "space/duplicate-choice"),
        ((["a"], "b"), "space/choice-type"),
        ((math.nan, 1.0), "space/choice-type"),
    ],
)
def test_choice_refuses(options: tuple[Any, ...], code: str) -> None:
    assert codes(Choice, options=options, default="b")[0] == code


def test_fixed_refuses_what_is_no_plain_value() -> None:
    assert codes(Fixed, value={"a": 1}) == ["space/domain"]


def test_the_four_parts_of_a_mistake() -> None:
    with pytest.raises(SpaceErrors) as caught:
        Int(low=10, high=32, default=32, multiple_of=8)
    (error,) = caught.value.errors
    assert error.rule == "both ends must be multiples of 8"
    assert error.got == "10"
    assert error.fix == "Take 8, or another `multiple_of`."
    assert error.path == ("int",)


def test_powers_of_two_are_equally_likely() -> None:
    sizes = Int(low=16, high=128, default=32, power_of_2=True)

    assert sizes.points(None) == [16, 32, 64, 128]
    counts = Counter(sizes.at((i + 0.5) / 400) for i in range(400))
    assert counts == dict.fromkeys([16, 32, 64, 128], 100)
    assert not sizes.contains(48)


def test_multiples_on_a_log_scale() -> None:
    width = Int(low=32, high=256, default=128, log=True, multiple_of=8)

    assert width.size == 29
    assert width.middle == 88
    assert all(width.contains(width.at(i / 100)) for i in range(100))
    below = sum(int(width.at(i / 1000)) < 96 for i in range(1000))
    assert 450 < below < 550
    assert [width.at(0), width.at(0.999999)] == [32, 256]


def test_a_value_beside_the_range() -> None:
    decay = Float(low=1e-6, high=1e-2, log=True, beside=0.0, default=0.0)

    assert decay.contains(0.0) and decay.contains(1e-4) and not decay.contains(1e-7)
    assert decay.ends() == [0.0, 1e-6, 1e-2]
    assert decay.at(0.25) == 0.0
    assert decay.at(0.75) == pytest.approx(1e-4)
    assert decay.points(3) == [0.0, 1e-6, pytest.approx(1e-4), 1e-2]


def test_booleans_are_no_numbers() -> None:
    assert not Int(low=0, high=2, default=0).contains(True)
    assert not Fixed(value=1).contains(True)
    assert not Choice(options=(1, 2), default=1).contains(1.0)


def test_sizes() -> None:
    assert Float(low=0.0, high=1.0, default=0.0).size is None
    assert Float(low=0.5, high=0.5, default=0.5).size == 1
    assert Int(low=1, high=3, default=1, beside=0).size == 4
    assert Choice(options=("a", "b"), default="a").size == 2
    with pytest.raises(ValueError, match="cannot be listed"):
        Float(low=0.0, high=1.0, default=0.0).points(None)


@pytest.mark.parametrize(
    "domain",
    [
        Float(low=1e-4, high=1e-1, log=True, default=1e-3),
        Float(low=-1.0, high=1.0, default=0.0, beside=5.0),
        Int(low=1, high=9, default=3, log=True),
        Int(low=24, high=240, default=96, multiple_of=24),
        Int(low=1, high=64, default=8, power_of_2=True, beside=0),
        Choice(options=("a", 2, 0.5, True), default=2),
        Fixed(value="x"),
    ],
    ids=str,
)
def test_everything_it_gives_is_inside(domain: Float | Int | Choice | Fixed) -> None:
    given = [domain.default, *domain.ends(), *domain.points(4)]
    given += [domain.at(i / 37) for i in range(37)]
    assert all(domain.contains(value) for value in given)
    assert len(set(domain.points(4))) == len(domain.points(4))
