"""Checkpoints of one trial: immutable files with a manifest, no pickle anywhere.

A checkpoint is `epoch-00007.safetensors` beside `epoch-00007.json`, which names its SHA-256. The
manifest is written last, so a checkpoint without one never happened; the previous one is kept, so a
torn or altered file costs some epochs, not the trial.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from tuner.files import write_bytes

if TYPE_CHECKING:
    from torch import Tensor

_KEPT = 2


@dataclass(frozen=True)
class Checkpoint:
    """What one file holds."""

    tensors: dict[str, Tensor]
    state: dict[str, Any]
    sha256: str
    """Of the file."""


def write(folder: Path, name: str, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Writes one checkpoint, durable when this returns.

    Raises:
        OSError: the disk is full or gone; what was there before is untouched.
    """
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    blob = save({n: t.detach().cpu().contiguous() for n, t in tensors.items()})
    manifest = {"sha256": hashlib.sha256(blob).hexdigest(), "bytes": len(blob), "state": state}
    write_bytes(folder / f"{name}.safetensors", blob)
    write_bytes(folder / f"{name}.json", json.dumps(manifest).encode())


def read(folder: Path, name: str) -> Checkpoint | None:
    """One checkpoint, or None if it is absent, torn or altered."""
    from safetensors.torch import load

    try:
        manifest = json.loads((folder / f"{name}.json").read_bytes())
        blob = (folder / f"{name}.safetensors").read_bytes()
        if hashlib.sha256(blob).hexdigest() != manifest["sha256"]:
            return None
        return Checkpoint(load(blob), manifest["state"], manifest["sha256"])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None


def write_epoch(
    folder: Path, epoch: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any]
) -> None:
    """Writes the checkpoint of an epoch and deletes those before the previous one."""
    write(folder, f"epoch-{epoch:05d}", tensors, state)
    for name in _epochs(folder)[_KEPT:]:
        delete(folder, name)


def read_latest(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint of an epoch, or None."""
    for name in _epochs(folder):
        if (found := read(folder, name)) is not None:
            return found
    return None


def delete_epochs(folder: Path) -> None:
    """Deletes what only resuming needs."""
    for name in _epochs(folder):
        delete(folder, name)


def delete(folder: Path, name: str) -> None:
    """Deletes one checkpoint, its manifest first."""
    for ending in (".json", ".safetensors"):
        (folder / f"{name}{ending}").unlink(missing_ok=True)


def _epochs(folder: Path) -> list[str]:
    """Names of epoch checkpoints, newest first."""
    return sorted((p.stem for p in folder.glob("epoch-*.json")), reverse=True)
