"""Whether a cluster has room for a lane now: a shortage is shown, and ends the sweep after a limit.

What can never fit is refused before; here it is others who hold the nodes, or nodes that are gone.
Ray itself waits for ever and says nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from cluster.plan import Capacity, Plan, Resources, plan
from cluster.refused import Refused
from tuner.errors import NoRoom
from tuner.results.live import Display

LOOK_SECONDS = 2.0
"""From one look at the cluster to the next: each asks Ray's head."""
FIRST_LOOK_SECONDS = 0.25
"""The same at the start: a Ray that has just started takes a moment to say what it has."""
START_SECONDS = 10.0
"""A lane that starts holds its place and does not train yet: no shortage is told before."""


class FewerWorkers(Exception):
    """Trials that wait could go on with fewer workers; not an end, and never leaves a sweep."""


class Cluster(Protocol):
    """Whoever knows the nodes."""

    def nodes(self) -> tuple[Capacity, ...]:
        """What they have."""

    def free(self) -> tuple[Capacity, ...]:
        """What nobody has taken of it."""


class Room:
    """Looks for room at a sweep's start and while it runs.

    Args:
        limit: seconds without room for a single lane after which the sweep ends.
    """

    def __init__(
        self,
        cluster: Cluster,
        resources: Resources,
        limit: float,
        display: Display,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._cluster, self._resources, self._limit = cluster, resources, limit
        self._display, self._clock, self._sleep = display, clock, sleep
        self._looked = -LOOK_SECONDS
        self._short_since: float | None = None
        self._told = False
        self._workers = resources.workers
        """Of a lane as it was planned last."""

    def first(self) -> Plan:
        """The lanes that fit now, waiting for the first one.

        Raises:
            NoRoom: there was none within the limit.
        """
        while True:
            try:
                lanes = plan(self._cluster.free(), self._resources)
            except Refused as short:
                self._is_short(short)
                self._sleep(FIRST_LOOK_SECONDS)
            else:
                self._is_well()
                self._workers = lanes.resources.workers
                return lanes

    def check(self, trials: Sequence[Any]) -> None:
        """Sees whether trials that wait have something to wait for.

        Args:
            trials: Tune's.

        Raises:
            FewerWorkers: they have room for fewer than they wait for, and may do with them.
            NoRoom: none has trained, and none could have, for the limit.
        """
        now = self._clock()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        if any(trial.status == "RUNNING" for trial in reversed(trials)):
            self._is_well()
            return
        lane = replace(self._resources, workers=self._workers, fewest=None)
        try:
            plan(self._cluster.free(), lane)
        except Refused as short:
            if self._short_for() >= START_SECONDS:
                self._try_fewer()
            self._is_short(short)
        else:
            self._is_well()

    def _try_fewer(self) -> None:
        # By what the nodes have: what is free leaves out what waiting trials hold already.
        try:
            workers = plan(self._cluster.nodes(), self._resources).resources.workers
        except Refused:
            return
        if workers < self._workers:
            self._short_since = None
            raise FewerWorkers(f"room for {workers} of a trial's {self._workers} workers")

    def _is_well(self) -> None:
        self._short_since = None
        if self._told:
            self._display.message("there is room again")
        self._told = False

    def _short_for(self) -> float:
        """Seconds since the shortage was seen first."""
        now = self._clock()
        if self._short_since is None:
            self._short_since = now
        return now - self._short_since

    def _is_short(self, short: Refused) -> None:
        waited = self._short_for()
        why = f"{short.rule}; free now: {short.got}"
        if waited >= self._limit:
            raise NoRoom(f"no room for a single trial within {self._limit:g} s: {why}")
        if waited >= START_SECONDS and not self._told:
            self._told = True
            self._display.message(f"WAITING: {why}")
