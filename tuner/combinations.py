"""Values that are right one by one and refused together: found by draws, before anything starts."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from tuner.config import TrialConfig, make_task
from tuner.errors import Mistake, SpecError
from tuner.memory import num_parameters
from tuner.models.build import ignored, refuse_without_side
from tuner.models.shape import SettingsRefused
from tuner.refused_values import Refusal, ValuesRefused
from tuner.training.augmentation import unreadable

if TYPE_CHECKING:
    from tuner.data.card import DataCard
    from tuner.spec import SweepSpec

_DRAWS = 100
"""A combination that a twentieth of all trials have is missed once in 170 times."""


def refused(spec: SweepSpec, card: DataCard) -> list[Mistake]:
    """What would refuse some trials of a sweep, each reason once: no more than a warning, since
    the others run.

    Args:
        spec: whose space was found sound corner by corner.
        card: of its data.

    Raises:
        SpecError: the default configuration, which a sweep tries first, would not run.
    """
    if mistakes := _refusals(spec.space.defaults(), spec, card):
        raise SpecError(
            [replace(m, where="the default configuration, a sweep's first") for m in mistakes]
        )
    random, found = Random(0), dict[str, list[Mistake]]()
    draws = [_refusals(spec.space.sample(random), spec, card) for _ in range(_DRAWS)]
    for mistake in itertools.chain.from_iterable(draws):
        found.setdefault(mistake.rule, []).append(mistake)
    return [
        Mistake(
            code="spec/combination",
            rule=rule,
            where=f"{len(mistakes)} of {_DRAWS} draws from the space",
            got=mistakes[0].got,
            fix=f"{mistakes[0].fix} Or keep such values apart by `when`: their trials would fail.",
        )
        for rule, mistakes in found.items()
    ]


def _refusals(values: Mapping[str, Any], spec: SweepSpec, card: DataCard) -> list[Mistake]:
    try:
        config = TrialConfig.from_values(values, spec.task)
    except ValuesRefused as wrong:
        return [_told(r.code, r) for r in wrong.refusals]
    task = make_task(spec.task, config, card, None)
    found = unreadable(config, task.vocabulary > 0)
    is_own = ":" in config.model.name
    if is_own:
        dropouts = config.regularization.dropouts
        found += ignored(config.model.name, config.initialization, dropouts)
    try:
        if is_own:
            refuse_without_side(config.model.name, task.shape)
        num_parameters(config, task)
    except SettingsRefused as unbuildable:
        found.append(_told("model/settings", unbuildable))
    return found


def _told(code: str, why: Refusal | SettingsRefused) -> Mistake:
    return Mistake(code=code, rule=why.rule, where="a trial", got=why.got, fix=why.fix)
