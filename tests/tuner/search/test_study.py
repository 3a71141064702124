"""The search: how ends are told, what a restart finds, and who may write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from search_spaces import Space
from tuner.outcome import Outcome, State
from tuner.search.config import SearchConfig
from tuner.search.storage import FILE, NAME, Storage
from tuner.search.study import MAX_DUPLICATES, Search


def space(**parameters: Any) -> Space:
    return Space.parse({"parameters": parameters}, lambda name: Space(parameters={}))


PLAIN = space(lr={"float": [1e-4, 1e-1], "log": True}, cell=["lstm", "gru"])


def opened(folder: Path, *, of: Space = PLAIN, read_only: bool = False, **config: Any) -> Search:
    settings = SearchConfig.model_validate({"sampler": "random"} | config)
    return Search(of, settings, folder, "maximize", 9, read_only=read_only)


def in_optuna(folder: Path) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=NAME, storage=f"sqlite:///{folder / FILE}").trials


@pytest.mark.parametrize(
    ("state", "value", "told"),
    [
        (State.COMPLETE, 0.9, TrialState.COMPLETE),
        (State.COMPLETE, None, TrialState.FAIL),
        (State.PRUNED, 0.5, TrialState.PRUNED),
        (State.TIMEOUT, 0.5, TrialState.PRUNED),
        (State.TIMEOUT, None, TrialState.FAIL),
        (State.DIVERGED, 0.5, TrialState.PRUNED),
        (State.DIVERGED, None, TrialState.FAIL),
        (State.INFEASIBLE, 0.5, TrialState.FAIL),
        (State.FAILED, 0.5, TrialState.FAIL),
        (State.KILLED, 0.5, TrialState.FAIL),
    ],
)
def test_ends_are_told_as_they_are(
    state: State, value: float | None, told: TrialState, tmp_path: Path
) -> None:
    search = opened(tmp_path)
    outcome = Outcome(state=state, value=value, epochs=4, reason="so", metrics={"accuracy": 0.5})
    search.ask()
    search.tell(0, outcome)
    search.close()

    (trial,) = in_optuna(tmp_path)
    assert trial.state is told
    assert trial.value == (None if told is TrialState.FAIL else value)
    again = opened(tmp_path)
    assert again.records()[0].outcome == again.outcome(0) == outcome
    assert again.unfinished() == []
    again.close()


def test_tpe_ranks_a_pruned_trial_by_its_last_epoch(tmp_path: Path) -> None:
    search = opened(tmp_path)
    search.ask()
    search.epoch(0, 1, 0.3)
    search.tell(0, Outcome(state=State.DIVERGED, value=0.4, epochs=5))
    search.close()

    assert in_optuna(tmp_path)[0].intermediate_values == {1: 0.3, 5: 0.4}


@pytest.mark.parametrize("best", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_never_reaches_optuna(best: float, tmp_path: Path) -> None:
    search = opened(tmp_path)
    search.ask()

    assert not search.epoch(0, 1, best)
    assert search.records()[0].rungs == {}
    search.close()


def test_only_rungs_are_written(tmp_path: Path) -> None:
    search = opened(tmp_path)
    search.ask()
    for epoch in range(1, 9):
        search.epoch(0, epoch, epoch / 10)
    search.close()

    assert in_optuna(tmp_path)[0].intermediate_values == {1: 0.1, 3: 0.3}


def test_higher_is_better_when_maximizing(tmp_path: Path) -> None:
    search = opened(tmp_path)
    for _ in range(3):
        search.ask()
    search.epoch(0, 1, 0.5)

    assert not search.epoch(1, 1, 0.9)
    assert search.epoch(2, 1, 0.4)
    search.close()


def test_a_trial_ends_once(tmp_path: Path) -> None:
    search = opened(tmp_path)
    search.ask()
    search.tell(0, Outcome(state=State.COMPLETE, value=0.5))

    with pytest.raises(AssertionError, match="already ended"):
        search.tell(0, Outcome(state=State.COMPLETE, value=0.6))
    search.close()


def test_unfinished_trials_are_found_again(tmp_path: Path) -> None:
    search = opened(tmp_path)
    asked = [search.ask() for _ in range(3)]
    search.tell(1, Outcome(state=State.COMPLETE, value=0.5))
    search.close()

    again = opened(tmp_path)

    assert again.unfinished() == [asked[0], asked[2]]
    assert again.num_suggested == 3
    again.tell(0, Outcome(state=State.COMPLETE, value=0.6))
    assert again.unfinished() == [asked[2]]
    again.close()


@pytest.mark.parametrize(
    ("place", "state"), [("_mark", TrialState.RUNNING), ("_back_up", TrialState.PRUNED)]
)
def test_an_end_is_told_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, state: TrialState
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    search = opened(tmp_path)
    search.ask()
    monkeypatch.setattr(Storage, place, crash)
    with pytest.raises(KeyboardInterrupt):
        search.tell(0, Outcome(state=State.PRUNED, value=0.5, epochs=2))
    search.close()
    monkeypatch.undo()
    again = opened(tmp_path)
    told = in_optuna(tmp_path)[0]
    assert told.state is state
    assert (told.value, told.intermediate_values) == (
        (0.5, {2: 0.5}) if state is TrialState.PRUNED else (None, {})
    )
    assert len(again.unfinished()) == (state is TrialState.RUNNING)
    again.close()


def test_duplicates_are_replaced(tmp_path: Path) -> None:
    few = space(a=["x", "y"], b=[1, 2])
    search = opened(tmp_path, of=few, sampler="tpe", seed=1)
    found = []
    while (suggestion := search.ask()) is not None:
        found.append(tuple(suggestion.values.values()))
        search.tell(suggestion.number, Outcome(state=State.COMPLETE, value=0.5))
    search.close()

    assert sorted(found) == [("x", 1), ("x", 2), ("y", 1), ("y", 2)]
    trials = in_optuna(tmp_path)
    repeated = [t.number for t in trials if "duplicate" in t.user_attrs]
    assert all(trials[number].state is TrialState.FAIL for number in repeated)
    assert len(trials) == 4 + len(repeated)
    assert [r.number for r in search.records()] == [
        t.number for t in trials if t.number not in repeated
    ]


def test_after_many_duplicates_an_unseen_one_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = opened(tmp_path, of=space(a={"int": [1, 50], "default": 7}))
    monkeypatch.setattr(search, "_plan", lambda number: {"a": 7})

    first, second = search.ask(), search.ask()

    assert first is not None and first.values == {"a": 7}
    assert second is not None and second.values != {"a": 7}
    assert second.number == 1 + MAX_DUPLICATES
    search.close()


def test_more_trials_after_the_end_of_a_grid_are_none(tmp_path: Path) -> None:
    search = opened(tmp_path, sampler="grid", grid_points=2)
    asked = [search.ask() for _ in range(8)]
    search.close()

    # Two learning rates, two cells, and the untuned middle.
    assert [s is not None for s in asked] == [True] * 5 + [False] * 3


def test_a_reader_sees_a_running_search_and_changes_nothing(tmp_path: Path) -> None:
    assert opened(tmp_path / "none", read_only=True).records() == []
    assert not (tmp_path / "none").exists()
    search = opened(tmp_path)
    search.ask()
    search.epoch(0, 1, 0.25)
    before = (tmp_path / FILE).read_bytes()

    reader = opened(tmp_path, read_only=True)

    assert reader.records() == search.records()
    assert reader.records()[0].rungs == {1: 0.25}
    for refused in (
        reader.ask,
        lambda: reader.epoch(0, 3, 0.5),
        lambda: reader.tell(0, Outcome(state=State.COMPLETE, value=0.5)),
    ):
        with pytest.raises(RuntimeError, match="opened for reading"):
            refused()
    reader.close()
    assert (tmp_path / FILE).read_bytes() == before
    search.tell(0, Outcome(state=State.COMPLETE, value=0.5))
    search.close()
