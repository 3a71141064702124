"""The one folder that holds all state: sweeps, the embedded MLflow store, its artifacts."""

from __future__ import annotations

import difflib
import os
import shutil
from pathlib import Path

from cluster.spec import ClusterSpec
from tuner.errors import CommandError, Mistake

SPEC = "spec.json"
"""The frozen spec; a folder with one is a sweep."""
FINALS = "finals.json"
"""In a sweep's folder: trial → metrics on the test split, of the trials' own final models."""
BASELINES = "baselines.json"
"""There: split → naive baseline → metrics."""
BUDGET = "budget.json"
"""There: what `resume` was granted beyond the frozen spec."""
FINISHED = "finished.json"
"""There once the budget is spent and all is scored: how long that took."""
PARTS = "parts"
"""There: the user's own parts, where every node of a cluster finds them."""


class Home:
    """Where sweeps live: the path, else TUNER_HOME, else the storage of a cluster."""

    def __init__(self, path: Path | str | None = None, cluster: ClusterSpec | None = None) -> None:
        storage = cluster.home if cluster else None
        self.path = Path(path or os.environ.get("TUNER_HOME") or storage or "sweeps").absolute()

    def folder(self, name: str) -> Path:
        """Folder of a sweep, existing or not."""
        return self.path / name

    def unfinished(self, name: str) -> Path:
        """Where this process makes a sweep's folder; what dead processes left there is deleted."""
        for old in self.path.glob(f".{name}.*"):
            process = old.name.removeprefix(f".{name}.")
            if process.isdecimal() and not Path("/proc", process).exists():
                shutil.rmtree(old, ignore_errors=True)
        return self.path / f".{name}.{os.getpid()}"

    def sweeps(self) -> list[str]:
        """Names of all sweeps, newest first."""
        found = [p.parent for p in self.path.glob(f"*/{SPEC}") if not p.parent.name.startswith(".")]
        return [p.name for p in sorted(found, key=lambda p: p.stat().st_ctime, reverse=True)]

    def existing(self, name: str) -> Path:
        """Folder of an existing sweep.

        Raises:
            CommandError: there is none of this name.
        """
        names = self.sweeps()
        if name in names:
            return self.folder(name)
        close = difflib.get_close_matches(name, names, n=1)
        fix = (
            f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(names) or 'none'}."
        )
        raise CommandError(
            Mistake(
                code="sweep/unknown",
                rule="NAME must be a sweep of this home",
                where=str(self.path),
                got=f"none called {name!r}",
                fix=fix,
            )
        )

    def tracking_uri(self, configured: str) -> str:
        """Where runs go: what the spec says, else MLFLOW_TRACKING_URI, else SQLite in here."""
        from tuner.tracking.uri import local_uri

        if configured != "local":
            return configured
        return os.environ.get("MLFLOW_TRACKING_URI") or local_uri(self.path)
