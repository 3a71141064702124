"""What every sampler promises: suggestions inside the space, none twice, and no memory to lose."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random

import optuna
import pytest

from search_spaces import Space, Values
from tuner.outcome import Outcome, State
from tuner.search import samplers
from tuner.search.config import SearchConfig
from tuner.search.records import Suggestion
from tuner.search.storage import FILE, NAME
from tuner.search.study import Search

NUM_ASKED = {"gp": 7, "nsga2": 14}
SPACE = Space.parse(
    {
        "parameters": {
            "cell": ["lstm", "gru", "rnn"],
            "lr": {"float": [1e-4, 1e-1], "log": True, "default": 1e-3},
            "width": {"int": [8, 256], "log": True, "multiple_of": 8, "default": 128},
            "batch": {"int": [8, 64], "power_of_2": True, "default": 32},
            "clip": {"float": [0.1, 10], "log": True, "or": 0, "default": 0},
            "bias": {"float": [0, 2], "default": 1, "when": {"cell": "lstm"}},
            "depth": {"int": [1, 3], "default": 1},
            "dropout": {"float": [0, 0.7], "default": 0, "when": {"depth": {"above": 1}}},
            "epochs": 9,
        }
    },
    lambda name: Space(parameters={}),
)
SMALL = SPACE.override(
    {"lr": 1e-3, "width": 8, "batch": 8, "clip": 0, "bias": 1.0, "depth": [1, 2]}
).override({"dropout": 0.5, "cell": ["lstm", "gru"]})

every_sampler = pytest.mark.parametrize("name", samplers.FACTS)


@pytest.fixture(autouse=True)
def small_generations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samplers, "POPULATION", 4)


def opened(folder: Path, name: str, space: Space = SPACE) -> Search:
    config = SearchConfig.model_validate(
        {"sampler": name, "scheduler": "asha", "startup": 3, "seed": 5, "grid_points": 2}
    )
    return Search(space, config, folder, "minimize", max_epochs=9)


def loss(values: Values) -> float:
    """Best at lr 0.01, width 64; rnn is worse."""
    lr, width = float(values["lr"]), float(values["width"])
    penalty = 0.5 if values["cell"] == "rnn" else 0.0
    return math.log10(lr / 0.01) ** 2 + math.log2(width / 64) ** 2 / 4 + penalty


def train(search: Search, suggestion: Suggestion) -> None:
    """Tells a trial's end: one in five diverges, bad ones are stopped at the first rung."""
    number, value = suggestion.number, loss(suggestion.values)
    if number % 5 == 4:
        search.tell(number, Outcome(state=State.DIVERGED, reason="loss is nan"))
    elif search.epoch(number, 1, value):
        search.tell(number, Outcome(state=State.PRUNED, value=value, best_epoch=1, epochs=1))
    else:
        search.tell(number, Outcome(state=State.COMPLETE, value=value, best_epoch=9, epochs=9))


def asked(folder: Path, name: str, count: int, *, restart_after: tuple[int, ...] = ()) -> list[str]:
    search = opened(folder, name)
    found = []
    for number in range(count):
        if number in restart_after:
            search.close()
            search = opened(folder, name)
        suggestion = search.ask()
        assert suggestion is not None
        assert SPACE.contains(suggestion.values) == []
        found.append(repr(suggestion))
        train(search, suggestion)
    search.close()
    return found


@every_sampler
def test_a_resumed_search_suggests_what_an_undisturbed_one_would(name: str, tmp_path: Path) -> None:
    count = NUM_ASKED.get(name, 10)
    undisturbed = asked(tmp_path / "one", name, count)

    assert asked(tmp_path / "two", name, count, restart_after=(2, count // 2)) == undisturbed
    assert len(set(undisturbed)) == count


@every_sampler
def test_an_unfinished_trial_does_not_change_what_follows(name: str, tmp_path: Path) -> None:
    def ask_two_at_a_time(folder: Path, restart: bool) -> list[str]:
        search = opened(folder, name)
        found = []
        for _ in range(2):
            pair = [search.ask(), search.ask()]
            found.append(repr(pair))
            if restart:
                search.close()
                search = opened(folder, name)
                assert search.unfinished() == pair
            for suggestion in reversed(pair):
                assert suggestion is not None
                train(search, suggestion)
        search.close()
        return found

    assert ask_two_at_a_time(tmp_path / "a", True) == ask_two_at_a_time(tmp_path / "b", False)


@every_sampler
def test_the_first_trial_is_the_untuned_one(name: str, tmp_path: Path) -> None:
    search = opened(tmp_path, name)

    assert search.ask() == Suggestion(number=0, values=SPACE.defaults())
    search.close()


@every_sampler
def test_a_small_space_is_visited_once_and_then_over(name: str, tmp_path: Path) -> None:
    search = opened(tmp_path, name, SMALL)
    found = []
    while (suggestion := search.ask()) is not None:
        found.append(tuple(suggestion.values.items()))
        train(search, suggestion)
        assert len(found) <= 4

    assert len(found) == len(set(found)) == SMALL.size() == 4
    assert search.num_suggested == 4
    assert [r.number for r in search.records() if r.outcome is None] == []
    search.close()


@every_sampler
def test_plain_optuna_reads_the_study_and_finds_no_trial_running(name: str, tmp_path: Path) -> None:
    asked(tmp_path, name, 6)

    study = optuna.load_study(study_name=NAME, storage=f"sqlite:///{tmp_path / FILE}")

    assert {trial.state for trial in study.trials} <= set(optuna.trial.TrialState) - {
        optuna.trial.TrialState.RUNNING,
        optuna.trial.TrialState.WAITING,
    }
    assert all(math.isfinite(trial.value) for trial in study.trials if trial.value is not None)


@pytest.mark.parametrize("name", ["tpe", "gp", "cmaes"])
def test_learns(name: str, tmp_path: Path) -> None:
    plain = SPACE.override({"cell": "lstm", "clip": 0, "depth": 1, "batch": 32, "bias": 1.0})
    config = SearchConfig.model_validate({"sampler": name, "scheduler": "none", "startup": 6})
    search = Search(plain, config, tmp_path, "minimize", max_epochs=9)
    losses = []
    for number in range(12 if name == "gp" else 30):
        suggestion = search.ask()
        assert suggestion is not None
        losses.append(loss(suggestion.values))
        search.tell(suggestion.number, Outcome(state=State.COMPLETE, value=losses[number]))
    search.close()

    random = Random(0)
    drawn = [loss(plain.sample(random)) for _ in range(500)]
    late = losses[len(losses) // 2 :]
    assert sum(late) / len(late) < 0.6 * sum(drawn) / len(drawn)
