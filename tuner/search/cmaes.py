"""CMA-ES without pickles: Optuna's own sampler keeps a pickled optimizer in the study.

Ours is rebuilt before every suggestion by telling a fresh optimizer the generations that the
study holds, in the order in which they were completed. That costs microseconds per trial, and a
resumed study suggests exactly what an undisturbed one would.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tuner.search.compile import Units

SIGMA = 1 / 6
"""First standard deviation, as a share of each range; Optuna's choice too."""


class CmaEsSampler(BaseSampler):
    """Hansen, The CMA Evolution Strategy (2016), over the ranges that every trial has.

    Starts at the best of the first `num_startup` completed trials, which `random` draws, with all
    that has no order or is not in every trial.
    """

    def __init__(self, units: Units, num_startup: int, *, seed: int, random: RandomSampler) -> None:
        self._ranges = {
            name: distribution
            for name, distribution in units.items()
            if isinstance(distribution, FloatDistribution | IntDistribution)
            and not distribution.single()
        }
        self._num_startup = num_startup
        self._seed = seed
        self._random = random

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> Units:
        """The ranges that every trial has."""
        return dict(self._ranges)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: Units
    ) -> dict[str, Any]:
        """One draw from the distribution that the completed generations have led to."""
        from cmaes import CMA

        done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(done) < self._num_startup or not self._ranges:
            return {}
        # By completion, not by number: a slow trial must not rewrite the generations before it.
        done = sorted(done, key=lambda t: (t.datetime_complete, t.number))
        sign = -1.0 if study.direction == StudyDirection.MAXIMIZE else 1.0
        told = [(self._shares_D(t), sign * _value(t)) for t in done]
        start_D = min(told[: self._num_startup], key=lambda pair: pair[1])[0]
        num_dims = len(self._ranges)
        optimizer = CMA(
            mean=start_D,
            sigma=SIGMA,
            bounds=np.array([[0.0, 1.0]] * num_dims),
            seed=self._seed,
            n_max_resampling=10 * num_dims,
        )
        size = optimizer.population_size
        later = told[self._num_startup :]
        for first in range(0, len(later) - size + 1, size):
            optimizer.tell(later[first : first + size])
        shares_D = optimizer.ask()
        return {
            name: _unit(distribution, float(share))
            for (name, distribution), share in zip(self._ranges.items(), shares_D, strict=True)
        }

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A random draw: choices, and what only part of the trials have."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def _shares_D(self, trial: FrozenTrial) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([_share(d, trial.params[name]) for name, d in self._ranges.items()])


def _value(trial: FrozenTrial) -> float:
    assert trial.value is not None, "a complete trial has a value"
    return trial.value


def _ends(distribution: FloatDistribution | IntDistribution) -> tuple[float, float]:
    # Half a unit around the ends of integers, so that each owns an equal part of [0, 1].
    half = 0.5 if isinstance(distribution, IntDistribution) else 0.0
    low, high = distribution.low - half, distribution.high + half
    return (math.log(low), math.log(high)) if distribution.log else (low, high)


def _share(distribution: FloatDistribution | IntDistribution, unit: float) -> float:
    low, high = _ends(distribution)
    place = math.log(unit) if distribution.log else unit
    return (place - low) / (high - low)


def _unit(distribution: FloatDistribution | IntDistribution, share: float) -> float:
    low, high = _ends(distribution)
    place = low + share * (high - low)
    unit = math.exp(place) if distribution.log else place
    unit = min(max(unit, distribution.low), distribution.high)
    return round(unit) if isinstance(distribution, IntDistribution) else unit
