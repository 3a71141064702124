"""How fast a sweep goes, until when, and why nothing runs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tuner.results import pace
from tuner.results.pace import Pace
from tuner.results.waiting import Waiting
from tuner.spec_file import ResourcesConfig


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    __call__ = monotonic


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pace, "time", made)
    return made


def test_the_pace_counts_from_the_first_start(clock: Clock) -> None:
    found = Pace(None)
    clock.now += 100
    found.start()
    assert found.per_minute() is None and found.seconds_left(5) is None
    clock.now += 10
    found.start()
    found.end()
    clock.now += 20
    found.end()
    assert found.per_minute() == pytest.approx(4.0)
    assert found.seconds_left(6) == pytest.approx(90.0)
    assert found.seconds_left(0) == 0


def test_hours_end_it_before(clock: Clock) -> None:
    found = Pace(0.01)
    assert found.seconds_left(5) == pytest.approx(36.0)
    found.start()
    clock.now += 30
    found.end()
    assert found.seconds_left(100) == pytest.approx(6.0)
    clock.now += 30
    assert found.seconds_left(100) == 0


def trials(*states: str) -> list[Any]:
    return [SimpleNamespace(status=state) for state in states]


def test_it_is_told_why_nothing_runs() -> None:
    clock = Clock()
    free = {"CPU": 1.0}
    found = Waiting(ResourcesConfig(workers=2), available=lambda: free, now=clock)
    assert found.look(trials("PENDING")) and found.reason == "waiting for the lanes to start"
    assert not found.look(trials("RUNNING")), "not more often than once a second"
    clock.now += 2
    assert not found.look(trials("PENDING", "TERMINATED"))
    clock.now += 30
    assert found.look(trials("PENDING"))
    assert found.reason == (
        "waiting for a free lane: a trial asks for 2 × 1 CPU, and 1 CPU and 0 GPU are free"
    )
    clock.now += 2
    assert found.look(trials("RUNNING", "PENDING")) and found.reason == ""
    clock.now += 2
    assert not found.look(trials("TERMINATED"))
