"""What all trials of a sweep share, and where each one's files lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import Resources
from tuner.search.objectives import Constraint
from tuner.training.job import Job, Remote
from tuner.training.stalls import LIMIT_SECONDS


@dataclass(frozen=True, kw_only=True)
class Context:
    """One sweep, as its trials know it: small, plain, sent to every lane once."""

    resources: Resources
    folder: str
    """The sweep's folder."""
    task: dict[str, Any]
    metric: str
    maximize: bool
    parts: tuple[str, ...]
    """Folders of the user's own parts."""
    latency: bool = False
    """Whether anybody asks how long a model takes."""
    constraints: tuple[Constraint, ...] = ()
    """Bounds that a model must keep, those on its costs before it is trained."""
    stall_seconds: float = LIMIT_SECONDS
    """Without a step, after which a lane is given up."""
    remote: Remote | None = None
    """Where the sweep's folder lies if the nodes share no disk."""

    def job(
        self,
        number: int,
        values: dict[str, Any],
        refit_epochs: int | None = None,
        *,
        seed: int | None = None,
        until: int | None = None,
    ) -> Job:
        """The job of one trial; a fresh seed and a refit have folders of their own."""
        folder = Path(self.folder) / trial_folder(number)
        if seed is not None:
            folder = seed_folder(folder, seed)
            values = values | {"training/seed": seed}
        return Job(
            data=str(Path(self.folder) / "data"),
            folder=str(folder if refit_epochs is None else folder / "refit"),
            task=self.task,
            values=values,
            metric=self.metric,
            maximize=self.maximize,
            refit_epochs=refit_epochs,
            until=until,
            parts=self.parts,
            stall_seconds=self.stall_seconds,
            remote=self.remote,
        )


def trial_folder(number: int) -> str:
    """Folder of a trial inside the sweep's."""
    return f"trials/{number:04d}"


def seed_folder(trial: Path, seed: int) -> Path:
    """Where a trial's configuration is trained again, while it is."""
    return trial / "seeds" / str(seed)


def trial_key(number: int) -> str:
    """Name of a trial's run in what a sweep tells MLflow."""
    return f"trial-{number:04d}"
