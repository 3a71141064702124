"""Spaces: order, branches, defaults, corners, grids, sizes."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from search_spaces import Space, SpaceErrors


def space(parameters: dict[str, Any]) -> Space:
    return Space.parse({"parameters": parameters}, lambda name: Space(parameters={}))


BRANCHES = {
    "bias": {"float": [0, 2], "default": 1, "when": {"cell": "lstm"}},
    "cell": ["lstm", "gru"],
    "layers": {"int": [1, 4], "default": 1},
    "dropout": {"float": [0, 0.7], "default": 0, "when": {"layers": {"above": 2}}},
    "tied": {"choice": [True, False], "default": False, "when": {"dropout": {"at_least": 0.35}}},
}


def random_space(seed: int) -> Space:
    """Up to eight parameters of all kinds, each perhaps under conditions on earlier ones."""
    random = Random(seed)
    parameters: dict[str, Any] = {}
    for i in range(random.randint(1, 8)):
        raw = random.choice(
            [
                {"choice": ["a", "b", "c"]},
                {"int": [1, 4]},
                {"int": [4, 16], "power_of_2": True, "or": 0},
                {"fixed": "a"},
            ]
        )
        if i and random.random() < 0.6:
            controller = random.choice(list(parameters))
            kind = next(iter(parameters[controller]))
            test = {"at_least": 4} if kind == "int" else random.choice(["a", ["a"]])
            raw = raw | {"when": {controller: test}}
        parameters[f"p{i}"] = raw
    return space(parameters)


def test_controllers_come_first() -> None:
    assert list(space(BRANCHES).parameters) == ["cell", "bias", "layers", "dropout", "tied"]


def test_what_is_active_follows_the_values() -> None:
    branches = space(BRANCHES)

    assert branches.defaults() == {"cell": "lstm", "bias": 1.0, "layers": 1}
    assert branches.active({"cell": "gru", "layers": 3, "dropout": 0.5}) == [
        "cell",
        "layers",
        "dropout",
        "tied",
    ]
    assert branches.active({"cell": "gru", "layers": 2, "dropout": 0.5}) == ["cell", "layers"]


def test_contains_says_what_is_wrong() -> None:
    values = {"cell": "rnn", "layers": 1, "dropout": 0.5}

    assert space(BRANCHES).contains(values) == [
        "`dropout` does not exist here",
        "`cell` cannot be 'rnn'",
    ]
    assert space(BRANCHES).contains({"cell": "gru"}) == ["`layers` is missing"]


def test_refuses_a_circle() -> None:
    with pytest.raises(SpaceErrors) as caught:
        space({"a": {"int": [1, 2], "when": {"b": 1}}, "b": {"int": [1, 2], "when": {"a": 1}}})
    assert caught.value.errors[0].code == "space/cycle"


def test_what_always_holds_makes_nothing_conditional() -> None:
    fixed = space(
        {
            "name": "own",
            "width": {"int": [1, 9], "when": {"name": "own"}},
            "depth": {"int": [1, 2], "when": {"width": {"at_least": 1}}},
        }
    )
    gap = space({"n": {"int": [1, 3]}, "a": {"int": [1, 2], "when": {"n": [1, 3]}}})

    assert not fixed.conditional
    assert fixed.override({"width": {"int": [0, 9]}}).conditional
    assert not gap.is_permanent("a")


def test_corners_visit_both_sides_of_every_threshold() -> None:
    branches = space(BRANCHES)
    found = [tuple(values) for values, _ in branches.corners()]

    assert set(found) == {
        tuple(branches.active({"cell": cell, "layers": layers, "dropout": dropout}))
        for cell in ("lstm", "gru")
        for layers in (2, 3)
        for dropout in (0.0, 0.5)
    }


def test_corners_name_the_parameter_under_test() -> None:
    tested = {path: set() for path in BRANCHES}
    for values, path in space(BRANCHES).corners():
        tested[path].add(values[path])

    assert tested["bias"] >= {0.0, 2.0}
    assert tested["tied"] == {True}  # False is its default, and so in every other corner
    assert {1, 4} <= {values["layers"] for values, _ in space(BRANCHES).corners()}


def test_grid_gives_each_point_once() -> None:
    points = list(space(BRANCHES).grid(3))

    assert len({tuple(sorted(p.items())) for p in points}) == len(points)
    # 3 biases and gru, times: layers 1, 2, and 4 with dropout 0, 0.35 and 0.7, the latter two tied
    # or not.
    assert len(points) == (3 + 1) * (1 + 1 + (1 + 2 + 2))


def test_single_values_are_a_warning() -> None:
    (warning,) = space({"a": {"float": [1, 1]}, "b": {"int": [1, 2]}}).warnings

    assert warning.code == "space/single-value"
    assert warning.path == ("parameters", "a")


@pytest.mark.parametrize("seed", range(30))
def test_random_spaces_keep_their_promises(seed: int) -> None:
    made = random_space(seed)
    every = list(made.grid(10**6))
    keys = {tuple(sorted(values.items(), key=str)) for values in every}

    assert len(keys) == len(every) == made.size()
    assert not any(made.contains(values) for values in every)
    branches = {tuple(values) for values in every}
    assert {tuple(values) for values, _ in made.corners()} == branches
    assert made.conditional == (len(branches) > 1)
    assert tuple(sorted(made.defaults().items(), key=str)) in keys
    random = Random(seed)
    for _ in range(20):
        assert tuple(sorted(made.sample(random).items(), key=str)) in keys
    assert Space.parse(made.to_data(), lambda name: made) == made
