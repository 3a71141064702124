"""What every scheduler promises: judges in time, spares the best, and survives a restart."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from search_spaces import Space
from tuner.outcome import Outcome, State
from tuner.search import schedulers
from tuner.search.config import SearchConfig
from tuner.search.study import Search

EPOCHS = 30
SPACE = Space.parse({"parameters": {"x": {"float": [0, 1]}}}, lambda name: Space(parameters={}))

every_scheduler = pytest.mark.parametrize("name", schedulers.RULES)
stopping = pytest.mark.parametrize("name", [n for n in schedulers.RULES if n != "none"])


def settings(name: str, **changes: object) -> SearchConfig:
    base = {"scheduler": name, "sampler": "random", "grace": 2, "startup": 3}
    return SearchConfig.model_validate(base | changes)


def curves(count: int) -> list[list[float]]:
    """Best-so-far losses that fall towards levels drawn at random."""
    random = Random(0)
    levels = [random.random() for _ in range(count)]
    return [[level + 1 / (epoch + 1) for epoch in range(EPOCHS)] for level in levels]


@every_scheduler
@pytest.mark.parametrize("epochs", [1, 2, 3, 30, 100])
def test_rungs_rise_between_grace_and_the_last_epoch(name: str, epochs: int) -> None:
    rule = schedulers.make(settings(name), epochs)

    for number in range(20):
        rungs = rule.rungs(number)
        assert list(rungs) == sorted(set(rungs))
        assert all(2 <= rung < epochs for rung in rungs)


@every_scheduler
def test_the_best_so_far_always_goes_on(name: str) -> None:
    rule = schedulers.make(settings(name), EPOCHS)

    for number in range(40):
        for epoch in rule.rungs(number):
            assert not rule.report(number, epoch, loss=-number)


@stopping
def test_most_of_the_budget_goes_to_few(name: str) -> None:
    rule = schedulers.make(settings(name), EPOCHS)
    reached = []
    for number, curve in enumerate(curves(60)):
        stops = (e for e in rule.rungs(number) if rule.report(number, e, curve[e - 1]))
        reached.append(next(stops, EPOCHS))
    complete = [n for n, epoch in enumerate(reached) if epoch == EPOCHS]

    assert sum(reached) < 0.7 * 60 * EPOCHS
    assert complete
    everyone = [curve[-1] for curve in curves(60)]
    assert min(everyone[n] for n in complete) <= sorted(everyone)[3]


@stopping
def test_a_trial_that_ended_by_itself_counts_at_later_rungs(name: str) -> None:
    rule = schedulers.make(settings(name), EPOCHS)
    late = max((n for n in range(16)), key=lambda n: len(rule.rungs(n)))
    last = rule.rungs(late)[-1]
    for number in range(100, 180):
        rule.ended(number, loss=0.1)

    assert rule.report(late, last, loss=0.2)


@every_scheduler
def test_decisions_are_the_same_after_a_restart(name: str, tmp_path: Path) -> None:
    def run(folder: Path, restarts: bool) -> list[tuple[int, int, str]]:
        search = Search(SPACE, settings(name), folder, "minimize", max_epochs=EPOCHS)
        ends = []
        for number, curve in enumerate(curves(10)):
            if restarts and number % 4 == 3:
                search.close()
                search = Search(SPACE, settings(name), folder, "minimize", max_epochs=EPOCHS)
            suggestion = search.ask()
            assert suggestion is not None and suggestion.number == number
            # Every third trial stops by itself after five epochs.
            last = 5 if number % 3 == 2 else EPOCHS
            state, epoch = State.COMPLETE, last
            for epoch in range(1, last + 1):
                if search.epoch(number, epoch, curve[epoch - 1]):
                    state = State.PRUNED
                    break
            ends.append((number, epoch, state.value))
            value = curve[epoch - 1]
            search.tell(number, Outcome(state=state, value=value, best_epoch=epoch, epochs=epoch))
        search.close()
        return ends

    undisturbed = run(tmp_path / "one", restarts=False)

    assert run(tmp_path / "two", restarts=True) == undisturbed
    assert (name == "none") == all(state == "COMPLETE" for _, _, state in undisturbed)


@every_scheduler
def test_the_untuned_trial_is_never_stopped(name: str, tmp_path: Path) -> None:
    search = Search(SPACE, settings(name), tmp_path, "minimize", max_epochs=EPOCHS)
    for _ in range(7):
        search.ask()
    rungs = range(2, EPOCHS)
    for number in range(1, 7):
        for epoch in rungs:
            search.epoch(number, epoch, 0.1)

    assert not any(search.epoch(0, epoch, 0.9) for epoch in rungs)
    search.close()
