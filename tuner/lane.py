"""The gang that trains trial after trial: warm ranks, one process group, and what breaks them.

A lane of one trains in the trainable's own process, with neither DDP nor a process group. A larger
one keeps its other ranks as actors in the bundles of the trial's own placement group, so Tune
places all of them or none, and lanes cannot deadlock each other.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import ray
from ray.exceptions import RayActorError, RayTaskError
from ray.util.placement_group import PlacementGroup
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from cluster import Resources
from cluster.network import use_interface_of
from tuner.errors import Diverged, LaneBroken
from tuner.training.checkpoint import Checkpoint
from tuner.training.job import Job
from tuner.training.rank import OutOfMemory, Rank, halved
from tuner.training.stalls import START_FACTOR
from tuner.training.trial import Point, Report

T = TypeVar("T")

MEETINGS = 2
"""Tries of a gang to form its process group, each on a port of its own."""
MEETING_SECONDS = 50.0
"""How long one of them may take; a group that cannot form is an error within 120 s."""
WATCH_SECONDS = 1.0
"""From one look at the other ranks to the next."""
GRACE_SECONDS = 3.0
"""What this rank has, once another is lost, to notice by itself."""


class Lane(ABC):
    """Trains one trial at a time; what memory cannot hold is tried again in smaller pieces."""

    _rank: Rank
    """The one in this process: the first, which alone writes files."""
    _job: Job
    _micro_batch: int | None = None

    def start(self, job: Job) -> int:
        """Takes up a trial, from its checkpoint if it has one; gives the epoch reached."""
        self._job, self._micro_batch = job, None
        return self._fitting(lambda: self._start(job, self._micro_batch))

    def epoch(self) -> Report:
        """Trains and scores one epoch.

        Raises:
            Diverged, Infeasible: the trial's end.
            LaneBroken: a rank is gone.
        """
        return self._fitting(self._epoch)

    def curve(self) -> list[Point]:
        """Every epoch of the trial so far, those before its checkpoint included."""
        return self._rank.curve()

    def costs(self, latency: bool) -> dict[str, float]:
        """What the trial's model costs, whatever it will learn: its size and, if asked, the time
        that one sequence takes the first rank."""
        return self._fitting(lambda: self._rank.costs(latency))

    def note(self) -> str:
        """What the gradients of the trial suffer from; empty if nothing."""
        return self._rank.note()

    def stop(self) -> None:
        """Ends the trial, keeping its best weights."""
        self._rank.stop()

    def save(self) -> None:
        """Writes where the trial is to go on from, in this lane or another."""
        self._rank.save()

    def best(self) -> Checkpoint | None:
        """The trial's best weights as they lie on the disk."""
        return self._rank.best()

    def _fitting(self, act: Callable[[], T]) -> T:
        while True:
            try:
                return act()
            except OutOfMemory:
                self._micro_batch = halved(self._micro_batch, self._rank.largest_share())
                self._start(self._job, self._micro_batch)

    @abstractmethod
    def _start(self, job: Job, micro_batch: int | None) -> int: ...

    @abstractmethod
    def _epoch(self) -> Report: ...

    @abstractmethod
    def evaluate(self, split: str) -> dict[str, float]:
        """Metrics of the trial's best weights on a split."""

    @abstractmethod
    def close(self) -> None:
        """Ends the other ranks."""


class SoloLane(Lane):
    """One rank, in this process."""

    def __init__(self, device: str, threads: int) -> None:
        self._rank = Rank(device, threads)

    def _start(self, job: Job, micro_batch: int | None) -> int:
        return self._rank.start(job, micro_batch)

    def _epoch(self) -> Report:
        return self._rank.epoch()

    def evaluate(self, split: str) -> dict[str, float]:
        return self._rank.evaluate(split)

    def close(self) -> None:
        self._rank.leave()


class RankActor:
    """A rank in a process of its own."""

    def __init__(self, threads: int) -> None:
        use_interface_of(ray.util.get_node_ip_address())
        self._rank = Rank(device(), threads)

    def reach(self, address: str) -> None:
        """Looks whether there is a way to the first rank."""
        self._rank.reach(address)

    def join(self, rank: int, size: int, address: str) -> None:
        """Forms the process group; one that others have left, or that is half formed, is left."""
        self._rank.leave()
        try:
            self._rank.join(rank, size, address, MEETING_SECONDS)
        except RuntimeError:
            self._rank.leave()
            raise

    def do(self, method: str, *args: Any) -> Any:
        """Calls a method of the rank; an error that not all ranks share ends its group."""
        try:
            return getattr(self._rank, method)(*args)
        except Diverged:
            raise
        except Exception:
            self._rank.leave()
            raise


class GangLane(Lane):
    """Several ranks: the first in this process, the others as actors."""

    def __init__(self, resources: Resources, group: PlacementGroup, device: str) -> None:
        self._resources, self._group = resources, group
        threads = max(1, int(resources.cpus_per_worker))
        use_interface_of(ray.util.get_node_ip_address())
        self._rank = Rank(device, threads)
        actor = ray.remote(RankActor)
        self._others = [
            actor.options(
                num_cpus=resources.cpus_per_worker,
                num_gpus=resources.gpus_per_worker,
                scheduling_strategy=PlacementGroupSchedulingStrategy(
                    group, placement_group_bundle_index=bundle
                ),
            ).remote(threads)
            for bundle in range(1, resources.workers)
        ]
        self._joined = False

    def _start(self, job: Job, micro_batch: int | None) -> int:
        if not self._joined:
            self._join()
        reached: int = self._together("start", job, micro_batch)
        return reached

    def _epoch(self) -> Report:
        report: Report = self._together("epoch")
        return report

    def evaluate(self, split: str) -> dict[str, float]:
        metrics: dict[str, float] = self._together("evaluate", split)
        return metrics

    def close(self) -> None:
        self._rank.leave()
        for actor in self._others:
            ray.kill(actor)

    def _join(self) -> None:
        """Has the ranks meet, once more on a port of its own if they do not."""
        tried = []
        for _ in range(MEETINGS):
            address = self._rank.listen(ray.util.get_node_ip_address(), self._resources.workers)
            try:
                self._meet(address)
            except RayActorError as gone:
                self._rank.leave()
                raise LaneBroken(f"a rank died before the ranks met: {_line(gone)}") from gone
            except (OSError, RuntimeError) as failed:
                self._rank.leave()
                tried.append(f"{address}: {_line(failed)}")
            else:
                self._joined = True
                return
        raise LaneBroken(f"the ranks could not meet, neither at {' nor at '.join(tried)}")

    def _meet(self, address: str) -> None:
        size = self._resources.workers
        reached = [actor.reach.remote(address) for actor in self._others]
        _raise_first([*map(_error_of, reached)])
        others = [a.join.remote(i, size, address) for i, a in enumerate(self._others, 1)]
        mine: Exception | None = None
        try:
            with _watched(others):
                self._rank.join(0, size, address, MEETING_SECONDS)
        except RuntimeError as failed:
            # What the others wait for then fails as well.
            self._rank.leave()
            mine = failed
        _raise_first([*map(_error_of, others), mine])

    def _together(self, method: str, *args: Any) -> Any:
        """The same call on every rank; the error that explains the others' is raised."""
        others = [actor.do.remote(method, *args) for actor in self._others]
        mine: Exception | None = None
        result = None
        try:
            with _watched(others):
                result = getattr(self._rank, method)(*args)
        except Diverged as end:
            mine = end
        except Exception as error:
            # The others wait in a reduction for this rank: leaving makes theirs fail at once.
            self._rank.leave()
            mine = error
        stall = self._job.stall_seconds
        # Whoever is left alone notices at once; to start may take longer than a step.
        limit = START_FACTOR * stall if mine is None else stall
        told, silent = ray.wait(others, num_returns=len(others), timeout=limit)
        if silent:
            self._rank.leave()
            self._joined = False
            raise LaneBroken(f"{len(silent)} of the ranks did not answer within {limit:g} s")
        theirs = [_error_of(future) for future in told]
        found = [error for error in (mine, *theirs) if error is not None]
        if not found:
            return result
        if not all(isinstance(error, Diverged) for error in found):
            self._rank.leave()
            self._joined = False
        raise _cause(found)


def open_lane(resources: Resources) -> Lane:
    """The lane of the trial whose process this is."""
    if resources.workers == 1:
        return SoloLane(device(), max(1, int(resources.cpus_per_worker)))
    group = ray.util.get_current_placement_group()
    return GangLane(resources, group, device())


def device() -> str:
    """The device that Ray gave to this process."""
    return "cuda" if ray.get_gpu_ids() else "cpu"


@contextmanager
def _watched(others: list[Any]) -> Iterator[None]:
    """Ends this process if it waits for a rank whose node is gone.

    A process that dies closes its connections, which wakes the others at once. A node that is cut
    off closes none: Ray learns of it, and the process group only when its time is up. What waits in
    gloo cannot be woken, not even by its own `abort`; Tune starts the trial on a fresh lane.
    """
    over = threading.Event()

    def watch() -> None:
        waiting = others
        while waiting and not over.is_set():
            done, waiting = ray.wait(waiting, timeout=WATCH_SECONDS)
            lost = any(isinstance(_error_of(future), RayActorError) for future in done)
            if lost and not over.wait(GRACE_SECONDS):
                os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def _error_of(future: Any) -> Exception | None:
    try:
        ray.get(future)
    except RayTaskError as told:
        # Ray raises a class that is both its own and the cause's; the cause alone is wanted.
        cause: object = told.cause
        return cause if isinstance(cause, Exception) else told
    except RayActorError as gone:
        dead: Exception = gone
        return dead
    return None


def _raise_first(errors: list[Exception | None]) -> None:
    for error in errors:
        if error is not None:
            raise error


def _cause(errors: list[Exception]) -> Exception:
    """A dead rank first, then what a rank's own code said, then what only followed from it."""
    for error in errors:
        if isinstance(error, RayActorError):
            return LaneBroken(f"a rank died: {_line(error)}")
    own = [e for e in errors if not _is_lost_connection(e)]
    return own[0] if own else LaneBroken(f"a connection was lost: {_line(errors[0])}")


_LOST = ("Connection closed", "Connection reset", "Timed out", "process group", "NCCL")


def _is_lost_connection(error: Exception) -> bool:
    text = str(error)
    return isinstance(error, RuntimeError) and any(sign in text for sign in _LOST)


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
