"""One process at a time works on a sweep; the lock dies with its holder."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tuner.errors import CommandError, Mistake

_FILE = "lock"
_ATTEMPTS, _PAUSE = 4, 0.05
"""`holder` shares the lock for a moment, which must not look like a running sweep."""


@dataclass(frozen=True)
class Holder:
    """A process that works on a sweep; 0 if it has not yet said who it is."""

    pid: int
    host: str

    def __str__(self) -> str:
        return f"process {self.pid or '?'} on {self.host or '?'}"


@contextmanager
def held(folder: Path, name: str) -> Iterator[None]:
    """Holds the lock of a sweep's folder.

    Raises:
        CommandError: another process holds it.
    """
    with (folder / _FILE).open("a+") as file:
        if not _taken(file.fileno()):
            raise CommandError(
                Mistake(
                    code="sweep/running",
                    rule="a sweep must be run by one process at a time",
                    where=f"the sweep {name!r}",
                    got=f"it running as {holder(folder)}",
                    fix="Wait for it, or stop that process; `tuner status` shows how far it is.",
                )
            )
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        file.flush()
        yield


def _taken(descriptor: int) -> bool:
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(_PAUSE)
    return False


def holder(folder: Path) -> Holder | None:
    """Who holds the lock of a folder, or None."""
    try:
        with (folder / _FILE).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return None
            except BlockingIOError:
                said = json.loads(file.read() or "{}")
                return Holder(said.get("pid", 0), said.get("host", ""))
    except FileNotFoundError:
        return None
