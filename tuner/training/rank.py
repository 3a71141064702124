"""What one rank does for its lane, in whatever process it lives: no Ray here."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from tuner.data.store import Store
from tuner.errors import Infeasible
from tuner.models.shape import SettingsRefused
from tuner.training.costs import costs
from tuner.training.job import Job
from tuner.training.ranks import Ranks
from tuner.training.trial import Point, Report, Trial

JOIN_SECONDS = 120.0
"""How long ranks wait for one another before a group that cannot form is an error."""


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

    def join(self, rank: int, size: int, address: str, timeout: float = JOIN_SECONDS) -> None:
        """Forms the process group with the other ranks; `address` is `tcp://host:port`."""
        backend = "nccl" if self.ranks.device.startswith("cuda") else "gloo"
        dist.init_process_group(
            backend,
            init_method=address,
            rank=rank,
            world_size=size,
            timeout=timedelta(seconds=timeout),
        )
        self.ranks = replace(self.ranks, rank=rank, size=size)

    def start(self, job: Job, micro_batch: int | None = None) -> int:
        """Builds a trial, from its checkpoint if it has one; gives the epoch reached.

        Raises:
            Infeasible: the model alone does not fit, or none has these settings; no smaller batch
                would help.
        """
        self._trial = None
        try:
            with _memory():
                self._trial = Trial(job, self._opened(job.data), self.ranks, micro_batch)
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
        with _memory():
            return self._trial.advance()

    def stop(self) -> None:
        """Ends the trial, keeping its best weights."""
        if self._trial is not None:
            self._trial.stop()

    def save(self) -> None:
        """Writes where the trial is to go on from."""
        if self._trial is not None:
            self._trial.save()

    def evaluate(self, split: str) -> dict[str, float]:
        """Metrics of the trial's best weights on a split."""
        assert self._trial is not None, "an evaluation before a start"
        with _memory():
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
        self.ranks = replace(self.ranks, rank=0, size=1)

    def _opened(self, folder: str) -> Store:
        if self._store is None or self._store[0] != folder:
            self._store = (folder, Store.open(Path(folder)))
        return self._store[1]


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
