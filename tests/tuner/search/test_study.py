"""The search: how ends are told, what a restart finds, and who may write."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from search_spaces import Space
from tuner.outcome import Outcome, State
from tuner.search.config import SearchConfig
from tuner.search.objectives import Constraint, Objective
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


TWO = (Objective(name="accuracy", maximize=True), Objective(name="latency_ms", maximize=False))
BOUNDS = (Constraint.parse("latency_ms <= 5"), Constraint.parse("parameters <= 1000"))


def goaled(folder: Path, sampler: str = "random", **goals: Any) -> Search:
    config = SearchConfig.model_validate({"sampler": sampler, "scheduler": "none", "startup": 3})
    return Search(PLAIN, config, folder, "maximize", 9, **goals)


def ended(value: float | None, latency: float, parameters: int = 10, **changes: Any) -> Outcome:
    costs = {"latency_ms": latency, "parameters": parameters}
    return Outcome(**{"state": State.COMPLETE, "value": value, "costs": costs, **changes})


def test_optuna_hears_of_all_objectives(tmp_path: Path) -> None:
    search = goaled(tmp_path, objectives=TWO)
    for outcome in (
        ended(0.9, 3.0),
        ended(0.8, 2.0),
        ended(0.5, 9.0, state=State.DIVERGED),
        Outcome(state=State.COMPLETE, value=0.7),
    ):
        suggestion = search.ask()
        assert suggestion is not None
        search.tell(suggestion.number, outcome)
    before = [replace(record, ended=None) for record in search.records()]
    search.close()

    study = optuna.load_study(study_name=NAME, storage=f"sqlite:///{tmp_path / FILE}")
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == ["accuracy", "latency_ms"]
    told = [(t.state, t.values) for t in study.trials]
    assert told[:2] == [(TrialState.COMPLETE, [0.9, 3.0]), (TrialState.COMPLETE, [0.8, 2.0])]
    assert [state for state, _ in told[2:]] == [TrialState.FAIL] * 2
    assert {t.number for t in study.best_trials} == {0, 1}
    again = goaled(tmp_path, objectives=TWO, read_only=True)
    assert [replace(record, ended=None) for record in again.records()] == before
    again.close()


def test_optuna_hears_by_how_much_a_bound_is_broken(tmp_path: Path) -> None:
    search = goaled(tmp_path, constraints=BOUNDS)
    infeasible = ended(None, 7.5, state=State.INFEASIBLE, reason="latency_ms <= 5 does not hold")
    for outcome in (ended(0.9, 4.0), infeasible, ended(0.95, 4.0, 2000)):
        suggestion = search.ask()
        assert suggestion is not None
        search.tell(suggestion.number, outcome)
    search.close()

    study = optuna.load_study(study_name=NAME, storage=f"sqlite:///{tmp_path / FILE}")
    kept, slow, large = study.trials
    assert kept.constraints == pytest.approx({str(BOUNDS[0]): -0.2, str(BOUNDS[1]): -0.99})
    assert slow.state is TrialState.PRUNED and slow.value is None
    assert slow.constraints[str(BOUNDS[0])] == pytest.approx(0.5)
    assert large.state is TrialState.COMPLETE
    assert large.constraints[str(BOUNDS[1])] == pytest.approx(1.0)
    assert study.best_trial.number == 0, "plain Optuna knows what is feasible"


@pytest.mark.parametrize(("sampler", "count"), [("tpe", 12), ("nsga2", 8), ("gp", 4)])
@pytest.mark.parametrize("objectives", [(), TWO], ids=["one", "two"])
def test_samplers_keep_away_from_what_costs_too_much(
    sampler: str, count: int, objectives: tuple[Objective, ...], tmp_path: Path
) -> None:
    """Half of the space is too slow; and a resumed search suggests the same."""
    goals = {"objectives": objectives, "constraints": BOUNDS}
    slow: list[bool] = []
    values: list[list[Any]] = [[], []]
    for half, folder in enumerate((tmp_path / "a", tmp_path / "b")):
        search = goaled(folder, sampler, **goals)
        for number in range(count):
            if half and number == count // 2:
                search.close()
                search = goaled(folder, sampler, **goals)
            suggestion = search.ask()
            assert suggestion is not None
            values[half].append(suggestion.values)
            lr, cell = float(suggestion.values["lr"]), suggestion.values["cell"]
            latency = 7.5 if cell == "gru" else 2.0 + lr
            slow.append(latency > 5)
            broken = {"state": State.INFEASIBLE, "reason": "too slow"} if slow[-1] else {}
            value = None if slow[-1] else 1 - lr
            search.tell(suggestion.number, ended(value, latency, **broken))
        search.close()
    assert values[0] == values[1]
    if sampler == "tpe":
        assert sum(slow[6:12]) <= 2, "it learned that one cell is too slow"
