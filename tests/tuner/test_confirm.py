"""Who competes on fresh seeds, on which, and what is kept when time or the process ends."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from command import write_spec

from tuner import confirm
from tuner.confirm import Confirmation, SearchClock, chosen, reserve
from tuner.final import Call
from tuner.outcome import Outcome, State
from tuner.repeats import Repeats
from tuner.results.live import Silent
from tuner.search.records import TrialRecord
from tuner.spec import SweepSpec
from tuner.spec_reader import load


def record(number: int, value: float, epochs: int = 10, seconds: float = 6.0) -> TrialRecord:
    outcome = Outcome(
        state=State.COMPLETE, value=value, best_epoch=2, epochs=epochs, seconds=seconds
    )
    return TrialRecord(number=number, values={"training/seed": 1}, outcome=outcome, rungs={})


RECORDS = [record(number, number / 100) for number in range(20)]


def spec(folder: Path, **search: Any) -> SweepSpec:
    return load(write_spec(folder / "s.yaml", search=search))


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(confirm, "time", made)
    return made


class PaperLanes:
    """Trains nothing; may die after so many calls, or take its time, by a clock of its own."""

    def __init__(self, dies_after: int = 99, clock: Clock | None = None) -> None:
        self.dies_after, self.clock = dies_after, clock or Clock()
        self.trained: list[tuple[int, int | None]] = []

    def do(self, calls: Iterable[Call], number: int) -> None:
        for call in calls:
            if len(self.trained) == self.dies_after:
                raise KeyboardInterrupt
            (final,) = call.arguments
            self.trained.append((final.record.number, final.seed))
            self.clock.now += 6.0
            call.done(Outcome(state=State.COMPLETE, value=0.5, best_epoch=1, epochs=1))


class Listener(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.seeds: list[tuple[int, int, int, int]] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)

    def repeated(
        self, number: int, seed: int, outcome: Outcome, metric: str, ended: int, total: int
    ) -> None:
        self.seeds.append((number, seed, ended, total))


def confirmation(folder: Path, deadline: float | None = None, **search: Any) -> Any:
    listener = Listener()
    made = Confirmation(spec(folder, **search), folder, RECORDS, deadline, listener)
    return made, listener


@pytest.mark.parametrize(
    ("epochs", "search", "expected"),
    [
        ([10] * 20, {}, (19, 18, 17)),
        ([10] * 12, {}, (11, 10)),
        ([10] * 11, {}, ()),
        ([1] * 30 + [30, 30, 30], {}, ()),
        ([10] * 11, {"confirm": 2}, (10, 9)),
        ([10] * 20, {"confirm": 0}, ()),
        ([10] * 2, {"confirm": 5}, (1, 0)),
        ([10] * 20, {"seeds": 5}, (19, 18)),
    ],
)
def test_as_many_compete_as_are_asked_for_or_affordable(
    tmp_path: Path, epochs: list[int], search: dict[str, Any], expected: tuple[int, ...]
) -> None:
    records = [record(number, number / 100, each) for number, each in enumerate(epochs)]
    assert chosen(spec(tmp_path, **search), records) == expected


def test_a_sweep_keeps_time_for_them(tmp_path: Path) -> None:
    wanted = spec(tmp_path, hours=0.1, confirm=2)
    assert reserve(wanted, RECORDS, lanes=2) == pytest.approx(1.25 * 2 * 3 * 6.0 / 2)
    assert reserve(wanted, RECORDS, lanes=8) == pytest.approx(1.25 * 6.0), "the longest alone"
    long = [record(number, 0.5, seconds=900) for number in range(3)]
    assert reserve(wanted, long, lanes=1) == pytest.approx(120), "a third of the hours at most"


def test_the_search_ends_in_time_for_them(tmp_path: Path, clock: Clock) -> None:
    wanted = spec(tmp_path, hours=0.1, confirm=2)
    is_over = SearchClock(wanted, lambda: RECORDS, 2, deadline=100.0)
    for now, over in ((0.0, False), (77.4, False), (77.6, True)):
        clock.now = now
        assert is_over() == over, "18 s and a quarter are kept: 2 trials of 6 s, 3 seeds, 2 lanes"
    assert not SearchClock(wanted, lambda: RECORDS, 2, deadline=None)()


def test_each_is_trained_once_on_seeds_that_no_trial_saw(tmp_path: Path) -> None:
    made, listener = confirmation(tmp_path, confirm=2, seeds=2)
    lanes = PaperLanes()
    made.run(lanes)
    assert lanes.trained == [(19, 2), (18, 2), (19, 3), (18, 3)]
    assert listener.seeds == [(19, 2, 1, 4), (18, 2, 2, 4), (19, 3, 3, 4), (18, 3, 4, 4)]
    assert made.repeats.complete and Repeats.read(tmp_path) == made.repeats
    again, _ = confirmation(tmp_path, confirm=2, seeds=2)
    idle = PaperLanes()
    again.run(idle)
    assert idle.trained == []
    more, _ = confirmation(tmp_path, confirm=3, seeds=2)
    more.run(idle)
    assert idle.trained == [(17, 2), (17, 3)]


def test_what_was_trained_before_a_crash_is_not_trained_again(tmp_path: Path) -> None:
    made, _ = confirmation(tmp_path, confirm=2)
    dying = PaperLanes(dies_after=4)
    with pytest.raises(KeyboardInterrupt):
        made.run(dying)
    assert not Repeats.read(tmp_path).complete
    again, _ = confirmation(tmp_path, confirm=2)
    lanes = PaperLanes()
    again.run(lanes)
    assert len({*dying.trained, *lanes.trained}) == 6 == len(dying.trained) + len(lanes.trained)


def test_hours_that_end_leave_all_with_as_many_seeds(tmp_path: Path, clock: Clock) -> None:
    made, listener = confirmation(tmp_path, 30.0, confirm=2, seeds=3)
    lanes = PaperLanes(clock=clock)
    made.run(lanes)
    assert len(lanes.trained) == 5
    assert made.repeats.seeds == (2, 3) and made.repeats.complete
    assert listener.warnings == []
    assert Repeats.read(tmp_path) == made.repeats


def test_fewer_than_two_seeds_tell_nothing(tmp_path: Path, clock: Clock) -> None:
    made, listener = confirmation(tmp_path, 20.0, confirm=2)
    made.run(PaperLanes(clock=clock))
    assert made.repeats.candidates == () and not made.repeats.complete
    (warning,) = listener.warnings
    assert "`tuner resume s --confirm 2`" in warning


def test_test_scores_are_asked_for_once(tmp_path: Path) -> None:
    made, _ = confirmation(tmp_path, confirm=1, seeds=2)
    made.run(PaperLanes())
    untested = made.untested()
    assert [(final.record.number, final.seed) for final, _ in untested] == [(19, 2), (19, 3)]
    made.tested(untested[0][0], {"accuracy": 0.4})
    assert [final.seed for final, _ in made.untested()] == [3]
    assert Repeats.read(tmp_path).of(19)[2].test == {"accuracy": 0.4}
