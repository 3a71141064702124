"""Objectives beside the metric, and bounds."""

from __future__ import annotations

import pytest

from tuner.search.objectives import Constraint, Objective, pareto, violated


@pytest.mark.parametrize(
    ("text", "broken", "kept"),
    [
        ("latency_ms <= 5", 5.01, 5.0),
        ("parameters<=1e6", 1_000_001, 1_000_000),
        (" f1 >= 0.5", 0.49, 0.5),
    ],
)
def test_a_bound_is_kept_up_to_its_end(text: str, broken: float, kept: float) -> None:
    constraint = Constraint.parse(text)
    assert constraint.excess(broken) > 0 >= constraint.excess(kept)
    assert violated([constraint], {constraint.name: broken}) == [constraint]
    assert violated([constraint], {constraint.name: kept, "else": 9e9}) == []
    assert violated([constraint], {}) == [], "what is not known breaks nothing"
    assert Constraint.parse(str(constraint)) == constraint


@pytest.mark.parametrize("text", ["latency_ms", "latency_ms < 5", "a <= b", "<= 5", "a <= 5 <= 6"])
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        Constraint.parse(text)


def test_the_front_is_what_nothing_dominates() -> None:
    losses = {0: (1.0, 5.0), 1: (2.0, 2.0), 2: (2.0, 3.0), 3: (5.0, 1.0), 4: (2.0, 2.0)}
    assert pareto(losses) == {0, 1, 3, 4}
    assert pareto({}) == set()


def test_losses_are_signed() -> None:
    assert Objective(name="accuracy", maximize=True).loss(0.9) == -0.9
    assert Objective(name="bytes", maximize=False).loss(8) == 8
