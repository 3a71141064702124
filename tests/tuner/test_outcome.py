"""Outcomes: what they refuse, who may be ranked, and their spelling as JSON."""

from __future__ import annotations

import json
import math

import pytest

from tuner.outcome import Outcome, State, outcome_from_json, outcome_to_json


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_refuses_a_value_that_is_not_finite(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Outcome(state=State.COMPLETE, value=value)


@pytest.mark.parametrize("state", [state for state in State if state is not State.RUNNING])
def test_survives_json(state: State) -> None:
    outcome = Outcome(
        state=state, value=0.5, best_epoch=2, epochs=3, seconds=1.5, reason="so", metrics={"a": 0.1}
    )

    assert outcome_from_json(json.loads(json.dumps(outcome_to_json(outcome)))) == outcome


def test_only_sound_trials_are_ranked() -> None:
    ranked = {s for s in State if s is not State.RUNNING and Outcome(state=s, value=1.0).usable}

    assert ranked == {State.COMPLETE, State.PRUNED, State.TIMEOUT}
    assert not Outcome(state=State.COMPLETE).usable
