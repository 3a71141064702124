"""What is said about samplers, and the plans of those that learn nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from search_spaces import Space
from tuner.search import samplers
from tuner.search.config import SearchConfig


def space(**parameters: Any) -> Space:
    return Space.parse({"parameters": parameters}, lambda name: Space(parameters={}))


MIXED = space(
    cell=["lstm", "gru"],
    lr={"float": [1e-4, 1e-1], "log": True},
    clip={"float": [0.1, 10], "or": 0},
    bias={"float": [0, 2], "when": {"cell": "lstm"}},
    epochs=30,
)


@pytest.mark.parametrize(
    ("name", "at_random"),
    [
        ("tpe", []),
        ("qmc", []),
        ("gp", ["clip", "bias"]),
        ("nsga2", ["clip", "bias"]),
        ("cmaes", ["cell", "clip", "bias"]),
    ],
)
def test_names_what_is_drawn_at_random(name: Any, at_random: list[str]) -> None:
    assert samplers.FACTS[name].independent(MIXED) == at_random


def test_every_sampler_has_its_facts() -> None:
    named = SearchConfig.model_fields["sampler"].annotation.__args__

    assert set(samplers.FACTS) == set(named)


def test_grid_visits_each_point_of_each_branch_once() -> None:
    found = [tuple(sorted(v.items(), key=str)) for v in samplers.grid(MIXED, 2)]

    # lr 2 x clip 3 x (lstm: bias 2, gru: 1), and the untuned one, which is none of them.
    assert len(found) == len(set(found)) == 2 * 3 * (2 + 1) + 1
    assert dict(found[0]) == MIXED.defaults()


def test_grid_does_not_repeat_the_untuned_point() -> None:
    plain = space(a=["x", "y"], b={"int": [1, 3], "default": 3})

    assert [v["b"] for v in samplers.grid(plain, 3) if v["a"] == "x"] == [3, 1, 2]


def test_sobol_points_fill_the_space_evenly() -> None:
    flat = space(a={"float": [0, 1]}, b={"float": [0, 1]}, c=["x", "y"])
    plan = samplers.make_plan(flat, SearchConfig(sampler="qmc"))
    assert plan is not None
    points = [plan(number) for number in range(64)]

    cells = Counter((int(8 * float(p["a"])), int(8 * float(p["b"]))) for p in points if p)
    assert set(cells.values()) == {1}
    assert plan(7) == points[7]


def test_seeds_of_neighbours_are_unrelated() -> None:
    seeds = {samplers.seed_of(seed, number) for seed in range(50) for number in range(50)}

    assert len(seeds) == 2500
