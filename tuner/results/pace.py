"""How fast trials end, and when the last one will."""

from __future__ import annotations

import time


class Pace:
    """Counts the trials that end in this process, from its first one's start on.

    Args:
        hours: wall hours from now after which no trial starts; None for no limit.
    """

    def __init__(self, hours: float | None) -> None:
        self._deadline = None if hours is None else time.monotonic() + 3600 * hours
        self._began: float | None = None
        self._ended = 0

    def start(self) -> None:
        """A trial starts."""
        if self._began is None:
            self._began = time.monotonic()

    def end(self) -> None:
        """A trial that started here is over."""
        self._ended += 1

    def per_minute(self) -> float | None:
        """Trials that end in a minute; None before the first did."""
        if self._began is None or not self._ended:
            return None
        return 60 * self._ended / max(time.monotonic() - self._began, 1e-9)

    def seconds_left(self, trials: int) -> float | None:
        """How long so many more trials will take, or the hours if they are over before; None where
        nothing tells.
        """
        rate = self.per_minute()
        known = [] if rate is None else [60 * trials / rate]
        if self._deadline is not None:
            known.append(max(0.0, self._deadline - time.monotonic()))
        return min(known, default=None)
