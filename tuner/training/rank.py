"""What one rank does for its lane, in whatever process it lives: no Ray here."""

from __future__ import annotations

import gc
import shutil
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import torch
import torch.distributed as dist
from torch._C._distributed_c10d import TCPStore
from torch.distributed.distributed_c10d import _set_pg_timeout

from tuner import cache
from tuner.data.store import Store
from tuner.errors import Infeasible
from tuner.models.shape import SettingsRefused
from tuner.training import checkpoint, stalls
from tuner.training.away import Away
from tuner.training.costs import costs
from tuner.training.job import Job
from tuner.training.lease import Lease
from tuner.training.ranks import Ranks
from tuner.training.trial import BEST, Point, Report, Trial

JOIN_SECONDS = 120.0
"""How long ranks wait for one another before a group that does not answer is an error."""
REACH_SECONDS = 5.0
"""How long a way to the place where ranks meet may take: somebody listens there already."""


class OutOfMemory(Exception):
    """An epoch that did not fit; half the micro-batch may."""


class Rank:
    """One process of a gang: it keeps its threads, its device and the opened data."""

    def __init__(self, device: str, threads: int) -> None:
        # One thread more than the lane's CPUs makes a recurrent step several times slower.
        torch.set_num_threads(threads)
        self.ranks = Ranks(device=device)
        self._store: tuple[str, Store] | None = None
        self._trial: Trial | None = None
        self._away: Away | None = None
        self._scratch: Path | None = None
        self._meeting: TCPStore | None = None

    def listen(self, host: str, size: int) -> str:
        """Opens the place where ranks meet, as the first of them; gives its `tcp://host:port`.

        The system chooses the port as it is bound, so nobody can take it in between.
        """
        self._meeting = TCPStore(host, 0, size, is_master=True, wait_for_workers=False)
        return f"tcp://{host}:{self._meeting.port}"

    def reach(self, address: str) -> None:
        """Looks whether there is a way to the place where ranks meet.

        Raises:
            OSError: there is none.
        """
        socket.create_connection(_place(address), REACH_SECONDS).close()

    def join(self, rank: int, size: int, address: str, timeout: float = JOIN_SECONDS) -> None:
        """Forms the process group with the other ranks; `address` is `tcp://host:port`."""
        backend = "nccl" if self.ranks.device.startswith("cuda") else "gloo"
        limit = timedelta(seconds=timeout)
        if self._meeting is None:
            host, port = _place(address)
            self._meeting = TCPStore(host, port, size, is_master=rank == 0, timeout=limit)
        dist.init_process_group(
            backend, store=self._meeting, rank=rank, world_size=size, timeout=limit
        )
        if timeout < JOIN_SECONDS:
            _set_pg_timeout(timedelta(seconds=JOIN_SECONDS))
        self.ranks = replace(self.ranks, rank=rank, size=size)

    def start(self, job: Job, micro_batch: int | None = None) -> int:
        """Builds a trial, from its checkpoint if it has one; gives the epoch reached.

        Raises:
            Infeasible: the model alone does not fit, or none has these settings; no smaller batch
                would help.
        """
        self._trial = None
        limit = stalls.START_FACTOR * job.stall_seconds
        try:
            with _memory(), stalls.WATCH.over(limit, self._stacks(Path(job.folder))):
                job, lease = self._fetched(job)
                self._trial = Trial(job, self._opened(job.data), self.ranks, micro_batch, lease)
                return self._trial.restore()
        except SettingsRefused as refused:
            raise Infeasible(str(refused)) from refused
        except OutOfMemory as full:
            raise Infeasible(f"the model alone does not fit into memory: {full}") from full

    def curve(self) -> list[Point]:
        """Every epoch of the trial so far, those before its checkpoint included."""
        return [] if self._trial is None else list(self._trial.curve)

    def note(self) -> str:
        """What the gradients of the trial suffer from; empty if nothing."""
        return "" if self._trial is None else self._trial.note()

    def costs(self, latency: bool) -> dict[str, float]:
        """What the model of the trial costs, whatever it will learn."""
        assert self._trial is not None, "costs before a start"
        with _memory():
            return costs(self._trial.fits[0], latency=latency)

    def epoch(self) -> Report:
        """Trains and scores one epoch of the trial.

        Raises:
            Diverged: a loss, metric or output is not finite.
            OutOfMemory: a batch did not fit.
        """
        assert self._trial is not None, "an epoch before a start"
        with _memory(), self._brought_back(), self._watched(self._trial):
            return self._trial.advance()

    def warm(self, steps: int) -> None:
        """Takes a few steps and scores a few rows, for whoever measures what that takes."""
        assert self._trial is not None, "steps before a start"
        with _memory():
            for fit in self._trial.fits:
                fit.model.train()
                for places in fit.train.steps(1)[:steps]:
                    fit.step(places)
                fit.evaluate(fit.validation.first(self._trial.config.training.batch_size))

    def stop(self) -> None:
        """Ends the trial, keeping its best weights."""
        if self._trial is not None:
            with self._brought_back():
                self._trial.stop()

    def save(self) -> None:
        """Writes where the trial is to go on from."""
        if self._trial is not None:
            with self._brought_back():
                self._trial.save()

    def best(self) -> checkpoint.Checkpoint | None:
        """The trial's best weights as they lie on the disk; None where it has kept none."""
        assert self._trial is not None, "weights before a start"
        return checkpoint.read(self._trial.folder, BEST)

    def evaluate(self, split: str) -> dict[str, float]:
        """Metrics of the trial's best weights on a split."""
        assert self._trial is not None, "an evaluation before a start"
        with _memory(), self._brought_back(), self._watched(self._trial):
            return self._trial.evaluate(split)

    def largest_share(self) -> int:
        """Rows of a full batch that one rank computes at once, before memory runs out."""
        assert self._trial is not None
        training = self._trial.config.training
        return -(-training.batch_size // (self.ranks.size * training.accumulate))

    def leave(self) -> None:
        """Ends the process group; the other ranks' waiting reductions fail at once."""
        self._trial = None
        if dist.is_initialized():
            # DDP's models lie in reference cycles; the group's threads end only with the last one.
            gc.collect()
            dist.destroy_process_group()
        self._meeting = None
        self.ranks = replace(self.ranks, rank=0, size=1)
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = self._away = None

    def _watched(self, trial: Trial) -> AbstractContextManager[None]:
        """Has a trial that stands still end this process."""
        return stalls.WATCH.over(trial.job.stall_seconds, self._stacks(trial.folder))

    def _stacks(self, folder: Path) -> Path:
        return folder / f"stacks-{self.ranks.rank}.txt"

    def _fetched(self, job: Job) -> tuple[Job, Lease | None]:
        """The job with its files on this machine, and who may write them if not this machine
        decides."""
        self._away = None
        if job.remote is None:
            return job, None
        self._scratch = self._scratch or cache.scratch()
        self._away = Away(job, self._scratch)
        return self._away.job, self._away.lease

    @contextmanager
    def _brought_back(self) -> Iterator[None]:
        """Has what the first rank writes reach the object store, if the sweep lies in one."""
        yield
        if self._away is not None and self.ranks.rank == 0:
            self._away.bring_back()

    def _opened(self, folder: str) -> Store:
        if self._store is None or self._store[0] != folder:
            self._store = (folder, Store.open(Path(folder)))
        return self._store[1]


def _place(address: str) -> tuple[str, int]:
    """Host and port of `tcp://host:port`."""
    parts = urlsplit(address)
    assert parts.hostname and parts.port, address
    return parts.hostname, parts.port


@contextmanager
def _memory() -> Iterator[None]:
    """Turns the ways in which memory runs out into one exception."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        ran_out = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if ran_out or "can't allocate memory" in str(error):
            raise OutOfMemory(str(error).partition("\n")[0] or "out of memory") from error
        raise


def halved(micro_batch: int | None, largest: int) -> int:
    """The next smaller micro-batch.

    Raises:
        Infeasible: there is none.
    """
    size = micro_batch or largest
    if size <= 1:
        raise Infeasible("out of memory with a micro-batch of one row")
    return -(-size // 2)
