"""From a space to Optuna's units and back."""

from __future__ import annotations

from random import Random
from typing import Any

import optuna
import pytest
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from search_spaces import Space
from tuner.search import compile as units


def space(**parameters: Any) -> Space:
    return Space.parse({"parameters": parameters}, lambda name: Space(parameters={}))


EVERYTHING = space(
    cell={"choice": ["lstm", "gru"]},
    lr={"float": [1e-4, 1e-1], "log": True},
    width={"int": [32, 256], "log": True, "multiple_of": 8},
    batch={"int": [16, 128], "power_of_2": True},
    clip={"float": [0.1, 10], "log": True, "or": 0},
    warm={"int": [1, 5], "or": 0},
    bias={"float": [0, 2], "when": {"cell": "lstm"}},
    epochs=30,
)


def test_units_by_name() -> None:
    values = EVERYTHING.defaults() | {"width": 64, "batch": 32, "clip": 1.0, "warm": 0, "lr": 1e-3}

    params, distributions = units.encode(EVERYTHING, values)

    assert params == {
        "cell": "lstm",
        "lr": 1e-3,
        "width [x8]": 8,
        "batch [2^n]": 5,
        "clip [on]": True,
        "clip": 1.0,
        "warm [on]": False,
        "bias": 1.0,
    }
    assert distributions["width [x8]"] == IntDistribution(4, 32, log=True)
    assert distributions["batch [2^n]"] == IntDistribution(4, 7)
    assert distributions["lr"] == FloatDistribution(1e-4, 1e-1, log=True)
    assert distributions["clip [on]"] == CategoricalDistribution((True, False))


def test_optuna_still_refuses_a_log_scale_with_a_step() -> None:
    """The shortfall that the units work around."""
    with pytest.raises(ValueError, match="step"):
        IntDistribution(32, 256, log=True, step=8)


@pytest.mark.parametrize("seed", range(5))
def test_every_suggestion_is_inside_and_encodes_to_itself(seed: int) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    for _ in range(20):
        trial = study.ask()
        values = units.suggest(EVERYTHING, trial)

        assert EVERYTHING.contains(values) == []
        params, distributions = units.encode(EVERYTHING, values)
        assert params == trial.params
        assert distributions == trial.distributions


def test_what_the_space_samples_encodes_to_legal_parameters() -> None:
    random = Random(1)
    for _ in range(50):
        params, distributions = units.encode(EVERYTHING, EVERYTHING.sample(random))
        for name, distribution in distributions.items():
            assert distribution._contains(distribution.to_internal_repr(params[name]))


def test_units_that_every_trial_has() -> None:
    assert list(units.always(EVERYTHING)) == [
        "cell",
        "lr",
        "width [x8]",
        "batch [2^n]",
        "clip [on]",
        "warm [on]",
    ]
