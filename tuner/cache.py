"""This machine's own folder of what it fetched from object stores, once for all its processes."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path


def folder() -> Path:
    """TUNER_CACHE, else a folder of this user's among the machine's temporary ones.

    Raises:
        PermissionError: others may write there, or own it.
    """
    named = os.environ.get("TUNER_CACHE")
    path = Path(named or Path(tempfile.gettempdir()) / f"rnn-tuner-{os.geteuid()}")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.lstat()
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"{path} must be a folder that only its owner writes to")
    return path


def once(key: str, make: Callable[[Path], None]) -> Path:
    """The folder of this key, made by whoever wants it first while the others wait.

    Args:
        key: stands for the content, which never changes; it is the folder's name.
        make: fills an empty folder; what it raises leaves nothing.
    """
    target = folder() / key
    if target.is_dir():
        return target
    with (folder() / f".{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            temporary = Path(tempfile.mkdtemp(dir=folder(), prefix=f".{key}-"))
            try:
                make(temporary)
                temporary.rename(target)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
    return target


def scratch() -> Path:
    """A new folder for this process alone; those of dead processes are deleted on the way."""
    for old in folder().glob("work-*-*"):
        process = old.name.split("-")[1]
        if not Path("/proc", process).exists():
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(dir=folder(), prefix=f"work-{os.getpid()}-"))
