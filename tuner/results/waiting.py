"""Why no trial is running: lanes start, or something else holds what a trial asks for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tuner.spec_file import ResourcesConfig

_LOOK_SECONDS = 1.0
_START_SECONDS = 20.0
"""Lanes of an idle machine have started by then."""


def _available() -> Mapping[str, float]:
    import ray

    found: Mapping[str, float] = ray.available_resources()
    return found


class Waiting:
    """Looks now and then whether all trials wait.

    Args:
        resources: of one trial.
        available: what of the cluster is free, by resource.
        now: in seconds.
    """

    def __init__(
        self,
        resources: ResourcesConfig,
        available: Callable[[], Mapping[str, float]] = _available,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resources, self._available, self._now = resources, available, now
        self._since: float | None = None
        self._next_look = 0.0
        self.reason = ""
        """One line; empty while a trial runs, or none wants to."""

    def look(self, trials: Sequence[Any]) -> bool:
        """Whether the reason has changed; `trials` are Tune's."""
        now = self._now()
        if now < self._next_look:
            return False
        self._next_look = now + _LOOK_SECONDS
        states = {trial.status for trial in trials}
        if "PENDING" not in states or "RUNNING" in states:
            self._since, reason = None, ""
        else:
            self._since = now if self._since is None else self._since
            reason = self._why(now - self._since)
        changed, self.reason = reason != self.reason, reason
        return changed

    def _why(self, seconds: float) -> str:
        if seconds < _START_SECONDS:
            return "waiting for the lanes to start"
        wanted = self._resources
        asked = f"{wanted.workers} × {wanted.cpus_per_worker} CPU"
        if wanted.gpus_per_worker:
            asked += f" and {wanted.gpus_per_worker:g} GPU"
        free = self._available()
        has = f"{free.get('CPU', 0):g} CPU and {free.get('GPU', 0):g} GPU"
        return f"waiting for a free lane: a trial asks for {asked}, and {has} are free"
