"""A process that stands still ends and says where it stood; one that is slow does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuner.training.stalls import Watch, beat

LIMIT = 20.0


class Over(Exception):
    """The story has been told."""


class Story:
    """Time that passes as it is told: each pause of the watch is one thing that happens."""

    def __init__(self, happens: Iterator[float]) -> None:
        self.now, self.ended = 0.0, -1.0
        self._happens = happens

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        try:
            self.now += next(self._happens)
        except StopIteration:
            raise Over from None

    def end(self, status: int) -> None:
        assert status == 1
        self.ended = self.now


def told(folder: Path, happens: Iterator[float], *, busy: bool = True) -> float:
    """When the process was ended; negative if it was not."""
    story = Story(happens)
    watch = Watch(story.clock, story.sleep, story.end)
    watch._thread = threading.current_thread()  # none of its own
    with watch.over(LIMIT, folder / "stacks.txt") if busy else pytest.MonkeyPatch.context():
        try:
            watch.watch()
        except Over:
            pass
    return story.ended


def steps(number: int, looks: int) -> Iterator[float]:
    """Steps that take so many looks of a second each."""
    for _ in range(number):
        for _ in range(looks):
            yield 1.0
        beat()
    yield 1.0


def still(seconds: int) -> Iterator[float]:
    for _ in range(seconds):
        yield 1.0


def test_standing_still_ends_the_process_with_its_stacks(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def happens() -> Iterator[float]:
        yield from steps(5, looks=1)
        yield from still(60)

    assert LIMIT < told(tmp_path, happens()) < LIMIT + 10
    assert "no step for 21 s" in capfd.readouterr().err
    assert "in told" in (tmp_path / "stacks.txt").read_text()


def test_where_no_file_can_be_written_the_stacks_are_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert told(tmp_path / "none", still(60)) > 0
    assert "in told" in capfd.readouterr().err


def test_what_gets_on_goes_on(tmp_path: Path) -> None:
    assert told(tmp_path, steps(30, looks=15)) < 0
    assert not list(tmp_path.iterdir())


def test_who_does_not_work_is_not_watched(tmp_path: Path) -> None:
    assert told(tmp_path, still(300), busy=False) < 0


def test_slow_steps_are_no_stall(tmp_path: Path) -> None:
    def happens() -> Iterator[float]:
        yield from steps(2, looks=19)
        yield from still(80)

    assert told(tmp_path, happens()) < 0, "less than five times the longest"


def test_a_machine_that_slept_has_not_stood_still(tmp_path: Path) -> None:
    assert told(tmp_path, iter([1.0, 3600.0, 1.0, 1.0])) < 0


def test_a_watch_begins_with_the_first_work(tmp_path: Path) -> None:
    watch = Watch()
    assert watch._thread is None
    with watch.over(LIMIT, tmp_path / "stacks.txt"):
        assert watch._thread is not None and watch._thread.daemon
