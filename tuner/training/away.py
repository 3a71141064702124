"""A rank whose sweep lies in an object store: it works on copies of its own."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from cluster.refused import Refused
from cluster.storage import ObjectStore
from cluster.uris import joined
from tuner import cache
from tuner.errors import LaneBroken
from tuner.mirror import Mirror, digest
from tuner.training.job import Job, Remote
from tuner.training.lease import Lease

T = TypeVar("T")

PATIENCE_SECONDS = 120.0
"""How long a rank waits for a store that does not answer, before its lane counts as broken."""
_PAUSE_SECONDS = 2.0


class Away:
    """One job's files, fetched to this machine, and brought back as they are written.

    The trial's folder is this process's own. What never changes is this machine's, and fetched by
    whichever rank comes first.
    """

    def __init__(self, job: Job, scratch: Path) -> None:
        assert job.remote is not None
        remote = job.remote
        place = os.path.relpath(job.folder, remote.folder)
        store = ObjectStore(joined(remote.uri, place))
        folder = scratch / place
        shutil.rmtree(folder, ignore_errors=True)
        self._mirror = Mirror(store, folder)
        _patiently(self._mirror.pull)
        self.lease = _UntilBrought(store)
        parts = [_local(path, remote) for path in job.parts]
        self.job = replace(
            job, data=_local(job.data, remote), folder=str(folder), parts=tuple(parts)
        )

    def bring_back(self) -> None:
        """Stores what was written, and deletes there what was deleted here, unless another lane
        has taken the trial up.

        Raises:
            LaneBroken: the store does not answer.
        """
        if not self.lease.is_held():
            return
        _patiently(lambda: self._mirror.push(before_manifests=self.lease.check))
        _patiently(self.lease.release)


class _UntilBrought(Lease):
    """A lease that a trial ends when its last files are written here, and not yet there."""

    _over = False

    def claim(self) -> None:
        _patiently(super().claim)

    def is_held(self) -> bool:
        return _patiently(super().is_held)

    def end(self) -> None:
        self._over = True

    def release(self) -> None:
        """Ends it now, if the trial has."""
        if self._over:
            super().end()
            self._over = False


def _local(path: str, remote: Remote) -> str:
    """Where a folder of the sweep lies here; any other is taken as it is."""
    name = os.path.relpath(path, remote.folder)
    known = remote.digests.get(name)
    if known is None:
        return path

    def fill(folder: Path) -> None:
        Mirror(ObjectStore(joined(remote.uri, name)), folder).pull()
        if digest(folder) != known:
            raise LaneBroken(f"{name} in the object store is not what the sweep wrote there")

    return str(_patiently(lambda: cache.once(known, fill)))


def _patiently(act: Callable[[], T]) -> T:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return act()
        except Refused as refused:
            if refused.code != "storage/unreachable" or time.monotonic() >= deadline:
                raise LaneBroken(f"{refused.where}: {refused.got}") from None
            time.sleep(_PAUSE_SECONDS)
