"""Calls at a time: all are made, and a failure is told and begins no others."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from tuner.tracking.parallel import in_parallel


@pytest.mark.parametrize("width", [1, 4, 100])
@pytest.mark.parametrize("number", [0, 1, 50])
def test_every_call_is_made_once(width: int, number: int) -> None:
    made: list[int] = []
    in_parallel([partial(made.append, i) for i in range(number)], width)
    assert sorted(made) == list(range(number))


def test_as_many_at_a_time_as_allowed() -> None:
    barrier = threading.Barrier(4)
    in_parallel([lambda: barrier.wait(10) and None] * 8, 4)
    with pytest.raises(threading.BrokenBarrierError):
        in_parallel([lambda: barrier.wait(0.1) and None] * 4, 3)


@pytest.mark.parametrize("width", [1, 3])
def test_a_failure_is_raised_and_begins_no_others(width: int) -> None:
    made: list[int] = []

    def call(number: int) -> None:
        made.append(number)
        if number == 2:
            raise ValueError("the third")
        if number > 2:
            raise AssertionError("later ones are told only if none was before")

    with pytest.raises((ValueError, AssertionError)):
        in_parallel([partial(call, i) for i in range(1000)], width)
    assert len(made) < 1000 and (width > 1 or made == [0, 1, 2])


def test_one_at_a_time_stays_in_its_thread() -> None:
    threads: list[threading.Thread] = []
    in_parallel([lambda: threads.append(threading.current_thread())] * 3, 1)
    assert set(threads) == {threading.current_thread()}
