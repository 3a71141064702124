"""Importances: what decides is named first; nothing is said where nothing can be."""

from __future__ import annotations

from random import Random

import pytest
import studied

from tuner.outcome import Outcome, State
from tuner.search.importances import importances
from tuner.search.records import TrialRecord

SPEC = studied.spec()


def trials(num: int, decides: str = "optimizer/lr") -> list[TrialRecord]:
    """Trials whose value is one parameter's; every other was stopped."""
    random = Random(1)
    found = []
    for number in range(num):
        values = SPEC.space.sample(random)
        state = State.PRUNED if number % 2 else State.COMPLETE
        outcome = Outcome(state=state, value=float(values[decides]))
        found.append(TrialRecord(number=number, values=values, outcome=outcome, rungs={}))
    return found


@pytest.mark.parametrize("maximize", [True, False])
@pytest.mark.parametrize("path", ["optimizer/lr", "model/hidden_size", "training/clip_norm"])
def test_the_parameter_that_decides_comes_first(path: str, maximize: bool) -> None:
    shares = importances(SPEC.space, trials(120, path), maximize=maximize)
    assert next(iter(shares)) == path
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert shares.keys() <= SPEC.space.parameters.keys(), "units are added up under their path"
    assert "training/epochs" not in shares


def test_few_trials_say_nothing() -> None:
    assert importances(SPEC.space, trials(19), maximize=True) == {}
