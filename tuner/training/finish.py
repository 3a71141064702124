"""The final model of a trial: its best weights, on disk."""

from __future__ import annotations

from typing import Protocol

from tuner.training import checkpoint
from tuner.training.job import Job
from tuner.training.trial import Report


class Trainer(Protocol):
    """A lane, or a rank that is a gang of one."""

    def start(self, job: Job) -> int:
        """Takes up a job; gives the epoch reached."""

    def epoch(self) -> Report:
        """Trains one epoch."""

    def stop(self) -> None:
        """Keeps the best weights."""

    def best(self) -> checkpoint.Checkpoint | None:
        """Those that are kept."""


def finish(trainer: Trainer, job: Job, epochs: int) -> checkpoint.Checkpoint:
    """Gives the best weights of a job, and leaves it started for evaluation.

    Weights that were never made (a refit) or that a crash took are trained, exactly as they were
    or would have been.
    """
    reached = trainer.start(job)
    found = trainer.best()
    if found is None:
        while reached < epochs:
            reached = trainer.epoch().epoch
        trainer.stop()
        found = trainer.best()
    assert found is not None, "training left no weights"
    return found
