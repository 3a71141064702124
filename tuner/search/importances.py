"""Which parameters mattered: PED-ANOVA (Watanabe et al., 2023) over the trials of a search."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import optuna
from optuna.trial import TrialState, create_trial

from search_spaces import Space
from tuner.search import compile as units
from tuner.search.config import FEWEST
from tuner.search.records import TrialRecord

optuna.logging.set_verbosity(optuna.logging.ERROR)


def importances(
    space: Space, records: Sequence[TrialRecord], *, maximize: bool
) -> dict[str, float]:
    """What each searched parameter did to bring a trial among the best tenth, as shares of 1.

    Every trial with a usable model counts at its best value, stopped ones too, as they do on the
    leaderboard. Optuna's units of one parameter are added up.

    Returns:
        Path → share, the largest first; nothing where there are too few trials, or where they are
        all alike.
    """
    usable = [r for r in records if r.outcome is not None and r.outcome.usable]
    if len(usable) < FEWEST or len({r.outcome.value for r in usable if r.outcome}) < 2:
        return {}
    study = optuna.create_study(direction="maximize" if maximize else "minimize")
    for record in usable:
        assert record.outcome is not None
        params, distributions = units.encode(space, record.values)
        study.add_trial(
            create_trial(
                state=TrialState.COMPLETE,
                params=params,
                distributions=distributions,
                value=record.outcome.value,
            )
        )
    with warnings.catch_warnings():
        # A condition that few trials fulfil is warned of; its share is small in any case.
        warnings.simplefilter("ignore")
        found = optuna.importance.get_param_importances(study, normalize=False)
    total = sum(found.values())
    if not total:
        return {}
    shares: dict[str, float] = {}
    for name, value in found.items():
        path = name.partition(" ")[0]
        shares[path] = shares.get(path, 0.0) + value / total
    return dict(sorted(shares.items(), key=lambda item: -item[1]))
