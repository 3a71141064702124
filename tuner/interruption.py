"""SIGINT and SIGTERM: the first stops in order, the second at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

from cluster.processes import end_at_once
from tuner.errors import Interrupted

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Turns the first signal into `Interrupted`; `cluster.connect` keeps one that comes while Ray
    starts, and Ray from putting a handler in the place of this one.

    Args:
        message: what to tell the user.
    """

    def __init__(self, message: str) -> None:
        self._message = message
        self._number: int | None = None
        self._deferred = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> Interruption:
        self._before = {number: signal.getsignal(number) for number in _SIGNALS}
        self._handle(self._stop)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            self._handle(handler, number)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Only notes a signal, for `check` to raise: Tune takes what is raised inside its own code
        for a trial's failure.
        """
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def check(self) -> None:
        """Raises `Interrupted` if a signal came."""
        if self._number is not None:
            raise Interrupted(self._message, self._number)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._handle(lambda n, f: end_at_once(128 + n))
        self._number = number
        if not self._deferred:
            self.check()

    def _handle(self, handler: object, *numbers: int) -> None:
        for number in numbers or _SIGNALS:
            try:
                signal.signal(number, handler)  # type: ignore[arg-type]
            except ValueError:
                return  # not the main thread: its owner handles signals
