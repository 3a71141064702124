"""Ends a process that stands still: its trial goes on elsewhere, from its last checkpoint.

A rank may wait for ever: for another that was stopped without dying, for a disk, in a user's own
code. Ray sees a process that lives, and a process group only its own limit. So every rank watches
its own steps.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LIMIT_SECONDS = 120.0
"""Without a step, after which a process counts as standing still."""
START_FACTOR = 10
"""Of that, what a trial may take to start: its data may have to be fetched or derived first."""
_SLOWER = 5
"""Times the longest step so far: slow steps are no stall."""
_LOOK_SECONDS = 1.0

_beats = 0


def beat() -> None:
    """Says that this process gets on; called with every step and every batch that is scored."""
    global _beats
    _beats += 1


class Watch:
    """Looks at this process's beats while it works.

    Args:
        clock: seconds that pass.
        sleep: waits for some of them.
        end: ends this process with a status.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        end: Callable[[int], None] = os._exit,
    ) -> None:
        self._clock, self._sleep, self._exit = clock, sleep, end
        self._limit: float | None = None
        """None while nobody works."""
        self._stacks = Path()
        self._begun = 0
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, limit: float, stacks: Path) -> Iterator[None]:
        """Ends this process if the enclosed stands still.

        Args:
            limit: seconds without a beat, the time from the beginning to the first one included.
            stacks: file that gets those of all threads.
        """
        self._stacks, self._begun, self._limit = stacks, self._begun + 1, limit
        if self._thread is None:
            # One for all: an epoch may take a few milliseconds.
            self._thread = threading.Thread(target=self.watch, daemon=True)
            self._thread.start()
        try:
            yield
        finally:
            self._limit = None

    def watch(self) -> None:
        """Looks for ever."""
        seen: tuple[int, int] | None = None
        stood = longest = 0.0
        last = self._clock()
        while True:
            limit = self._limit
            pause = _LOOK_SECONDS if limit is None else min(_LOOK_SECONDS, limit / 4)
            self._sleep(pause)
            now = self._clock()
            # A machine that slept, or a process that was stopped as a whole, has not stood still.
            passed, last = min(now - last, 2 * pause), now
            if limit is None or seen != (self._begun, _beats):
                longest = max(longest, stood)
                seen, stood = (self._begun, _beats), 0.0
                continue
            stood += passed
            if stood > max(limit, _SLOWER * longest):
                self._end(stood)
                return

    def _end(self, seconds: float) -> None:
        said = f"no step for {seconds:.0f} s: this process ends, and its trial goes on elsewhere"
        print(said, file=sys.stderr, flush=True)
        try:
            with self._stacks.open("w") as file:
                faulthandler.dump_traceback(file)
        except OSError:
            faulthandler.dump_traceback()  # the disk may be what it waits for
        self._exit(1)


WATCH = Watch()
"""Of this process, which has one lane at most."""
