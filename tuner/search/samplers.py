"""Who proposes the next trial: one row per sampler.

A sampler is made anew for every suggestion, seeded by the sweep's seed and the trial's number. So
it carries no state that a restart could lose, and a resumed sweep goes on as if nothing happened.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from search_spaces import Choice, Float, Int, Space, Values
from tuner.search import compile as units
from tuner.search.cmaes import CmaEsSampler
from tuner.search.config import Sampler, SearchConfig

POPULATION = 20
"""Trials in a generation of `nsga2`. Optuna's 50 would end most sweeps before the second one."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a user should know before choosing a sampler."""

    ignores_pruned: bool = False
    """Learns from completed trials only, so that early stopping starves it."""
    models_conditional: bool = True
    """Models parameters that only part of the trials have, a range with `or` included."""
    models_choices: bool = True
    """Models parameters without an order."""

    def independent(self, space: Space) -> list[str]:
        """Paths of the parameters that are drawn at random whatever was learned."""
        return [
            path
            for path, parameter in space.parameters.items()
            if parameter.domain.size != 1
            and (
                not self.models_conditional
                and (not space.is_permanent(path) or _has_beside(parameter.domain))
                or (not self.models_choices and isinstance(parameter.domain, Choice))
            )
        ]


FACTS: dict[Sampler, Facts] = {
    "random": Facts(),
    "grid": Facts(),
    "qmc": Facts(),
    "tpe": Facts(),
    "gp": Facts(ignores_pruned=True, models_conditional=False),
    "cmaes": Facts(ignores_pruned=True, models_conditional=False, models_choices=False),
    "nsga2": Facts(ignores_pruned=True, models_conditional=False),
}

Plan = Callable[[int], Values | None]
"""A trial's number → its configuration, whatever came before; None when there is no more."""


def make_plan(space: Space, config: SearchConfig) -> Plan | None:
    """The plan of a sampler that learns nothing; None for one that learns."""
    match config.sampler:
        case "random":
            return lambda number: space.sample(Random(seed_of(config.seed, number)))
        case "qmc":
            return _quasi_random(space, config.seed)
        case "grid":
            return _in_turn(grid(space, config.grid_points))
    return None


def make(
    space: Space, config: SearchConfig, number: int, *, num_objectives: int = 1
) -> BaseSampler:
    """The sampler for one suggestion of a search that learns."""
    seed, other = _seeds(config.seed, number)
    # Optuna seeds what a sampler leaves to chance like the sampler itself. In a sampler that makes
    # only one suggestion both then draw the same numbers: `nsga2` did as badly as chance.
    random = RandomSampler(seed=other)
    with warnings.catch_warnings():
        # `group` and the Gaussian process work, and are pinned by our tests.
        warnings.simplefilter("ignore", ExperimentalWarning)
        match config.sampler:
            case "tpe":
                return TPESampler(
                    seed=seed,
                    n_startup_trials=config.startup,
                    # With several objectives Optuna models each parameter by itself, which needs
                    # no groups.
                    group=num_objectives == 1 and _is_conditional(space),
                )
            case "gp":
                return GPSampler(
                    seed=seed,
                    independent_sampler=random,
                    n_startup_trials=config.startup,
                    warn_independent_sampling=False,
                )
            case "cmaes":
                return CmaEsSampler(units.always(space), config.startup, seed=seed, random=random)
            case "nsga2":
                return _Nsga2(seed, random)
    raise AssertionError(f"{config.sampler} does not learn")


def grid(space: Space, points_per_range: int) -> Iterator[Values]:
    """The trials of a grid search: the untuned configuration, then every other grid point."""
    defaults = space.defaults()
    yield defaults
    yield from (values for values in space.grid(points_per_range) if values != defaults)


def seed_of(seed: int, number: int) -> int:
    """The seed of one suggestion: unrelated for neighbouring seeds and numbers."""
    return _seeds(seed, number)[0]


def _seeds(seed: int, number: int) -> tuple[int, int]:
    first, second = np.random.SeedSequence([seed, number]).generate_state(2)
    return int(first), int(second)


class _Nsga2(NSGAIISampler):
    """Optuna's, with another source of chance for what mutates."""

    def __init__(self, seed: int, random: RandomSampler) -> None:
        super().__init__(seed=seed, population_size=POPULATION)
        self._random = random

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A random draw: the first generation, mutations, and what not every trial has."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)


def _quasi_random(space: Space, seed: int) -> Plan:
    """Scrambled Sobol points, a coordinate for each parameter, used where it is active."""
    paths = [path for path, p in space.parameters.items() if p.domain.size != 1]

    def plan(number: int) -> Values:
        from scipy.stats.qmc import Sobol

        if not paths:
            return space.defaults()
        sequence = Sobol(len(paths), scramble=True, rng=np.random.default_rng(seed))
        if number:
            sequence.fast_forward(number)
        shares = dict(zip(paths, sequence.random(1)[0].tolist(), strict=True))
        return space.fill(lambda parameter: parameter.domain.at(shares.get(parameter.path, 0.0)))

    return plan


def _in_turn(points: Iterator[Values]) -> Plan:
    drawn: list[Values] = []

    def plan(number: int) -> Values | None:
        while len(drawn) <= number:
            point = next(points, None)
            if point is None:
                return None
            drawn.append(point)
        return drawn[number]

    return plan


def _has_beside(domain: object) -> bool:
    return isinstance(domain, Float | Int) and domain.beside is not None


def _is_conditional(space: Space) -> bool:
    """Whether trials differ in the units that they have: conditions, or a value beside a range."""
    return space.conditional or any(_has_beside(p.domain) for p in space.parameters.values())
