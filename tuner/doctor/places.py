"""Where things are kept: the home of all sweeps, shared memory, and Ray's own folder."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

from tuner.doctor.finding import Finding, Patient
from tuner.errors import Mistake

_LOW, _LEAST = 5 * 2**30, 2**30
_SHARED_MEMORY = 300 * 2**20
"""Ray's object store with a margin."""
_FULL = 0.95
"""Above this share Ray refuses to work."""
_PASSING = {"tmpfs", "ramfs"}


def free_disk(patient: Patient) -> Finding:
    """Room for checkpoints and prepared data."""
    place = _existing(patient.home.path)
    free = shutil.disk_usage(place).free
    found = f"{free / 2**30:.1f} GiB free under {patient.home.path}"
    if free >= _LOW:
        return Finding(check="free disk", found=found)
    mistake = Mistake(
        code="doctor/disk",
        rule=f"{_LOW // 2**30} GiB should be free for data and checkpoints",
        where=str(place),
        got=f"{free / 2**30:.1f} GiB",
        fix="Delete old sweeps, or name a roomier disk by --home or TUNER_HOME.",
    )
    return Finding(check="free disk", found=found, mistake=mistake, grave=free < _LEAST)


def storage(patient: Patient) -> Finding:
    """Whether the home can be written, kept through a crash, locked, and read by its owner only."""
    place = _existing(patient.home.path)
    kind = file_system(place)
    found = f"{patient.home.path} on {kind}"
    if trouble := _trouble(place):
        mistake = Mistake(
            code="doctor/storage",
            rule="the home of all sweeps must be a folder that can be written, synced and locked",
            where=str(place),
            got=f"{trouble} on {kind}",
            fix="Name another by --home or TUNER_HOME.",
        )
        return Finding(check="storage", found=found, mistake=mistake)
    if patient.home.path.exists() and place.stat().st_mode & stat.S_IWOTH:
        mistake = Mistake(
            code="doctor/open-storage",
            rule="the home of all sweeps must be writable by its owner only",
            where=str(place),
            got=f"mode {stat.S_IMODE(place.stat().st_mode):o}",
            fix=f"Run `chmod go-w {place}`.",
        )
        return Finding(check="storage", found=found, mistake=mistake)
    if kind in _PASSING:
        mistake = Mistake(
            code="doctor/passing-storage",
            rule="the home of all sweeps should outlive a restart of the machine",
            where=str(place),
            got=kind,
            fix="Name a folder on a disk by --home or TUNER_HOME.",
        )
        return Finding(check="storage", found=found, mistake=mistake, grave=False)
    return Finding(check="storage", found=f"{found}: written, synced, locked")


def shared_memory(patient: Patient) -> Finding:
    """Ray's objects lie there."""
    place = Path("/dev/shm")
    free = shutil.disk_usage(place).free if place.exists() else 0
    found = f"{free / 2**20:.0f} MiB free in {place}"
    if free >= _SHARED_MEMORY:
        return Finding(check="shared memory", found=found)
    mistake = Mistake(
        code="doctor/shared-memory",
        rule=f"{_SHARED_MEMORY // 2**20} MiB of shared memory should be free for Ray",
        where=str(place),
        got=f"{free / 2**20:.0f} MiB",
        fix="Give the container more, such as `docker run --shm-size=1g`.",
    )
    return Finding(check="shared memory", found=found, mistake=mistake, grave=False)


def scratch(patient: Patient) -> Finding:
    """The disk of Ray's sockets and logs."""
    place = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir())
    usage = shutil.disk_usage(_existing(place))
    share = 1 - usage.free / usage.total
    found = f"{place}, {share:.0%} full"
    trouble = _trouble(_existing(place))
    if share < _FULL and not trouble:
        return Finding(check="scratch", found=found)
    mistake = Mistake(
        code="doctor/scratch",
        rule=f"Ray's folder must be writable and less than {_FULL:.0%} full",
        where=str(place),
        got=trouble or f"{share:.1%}",
        fix="Delete what is old there, or name a roomier disk by RAY_TMPDIR.",
    )
    return Finding(check="scratch", found=found, mistake=mistake)


def file_system(place: Path) -> str:
    """The kind of file system that holds a folder, such as ext4 or nfs4."""
    best, kind = "", "an unknown file system"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        mounted = left.split()[4].replace("\\040", " ")
        inside = place.resolve().is_relative_to(mounted)
        # Of mounts at one place the last one counts.
        if inside and len(mounted) >= len(best):
            best, kind = mounted, right.split()[0]
    return kind


def _trouble(folder: Path) -> str | None:
    """What a file in there cannot do that ours must; nothing stays."""
    try:
        handle, name = tempfile.mkstemp(dir=folder, prefix=".tuner-doctor-")
    except OSError as error:
        return f"a file cannot be made: {error.strerror}"
    path = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # SQLite locks by ranges, our own lock by whole files.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path, path.with_suffix(".moved"))
        path = path.with_suffix(".moved")
        return None if path.read_bytes() == b"x" * 4096 else "a file comes back changed"
    except OSError as error:
        return f"a file cannot be written, synced, locked and renamed: {error.strerror}"
    finally:
        path.unlink(missing_ok=True)


def _existing(path: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(p for p in (path, *path.parents) if p.is_dir())
