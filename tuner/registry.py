"""Finds parts by name: every public file in a parts folder is a part, entry points add more.

A user's own part needs no registration: its import path (`package.module`) is its name.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import sys
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

FOLDERS = {
    "tasks": "tuner.tasks",
    "architectures": "tuner.models.architectures",
    "cells": "tuner.models.cells",
    "poolings": "tuner.models.poolings",
    "optimizers": "tuner.training.optimizers",
    "schedules": "tuner.training.schedules",
    "formats": "tuner.data.formats",
    "tokenizers": "tuner.data.tokenizers",
    "augmentations": "tuner.data.augmentations",
    "exports": "tuner.export.formats",
}
"""Kind of part → the package whose public modules are its parts."""


class UnknownPart(LookupError):
    """A name that no part of this kind has; `nearest` is the closest one, if any is close."""

    def __init__(self, kind: str, name: str, known: list[str]) -> None:
        self.kind, self.name, self.known = kind, name, known
        close = difflib.get_close_matches(name, known, n=1)
        self.nearest: str | None = close[0] if close else None
        super().__init__(f"no {kind} part is called {name!r}; known: {', '.join(known)}")


def search_in(folder: Path | str) -> None:
    """Lets import paths lead into a folder, such as the spec's; what is installed goes before."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


@cache
def names(kind: str) -> list[str]:
    """The names of all parts of one kind, sorted."""
    package = importlib.import_module(FOLDERS[kind])
    shipped = [m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")]
    return sorted({*shipped, *(point.name for point in entry_points(group=f"rnn_tuner.{kind}"))})


@cache
def get(kind: str, name: str) -> ModuleType:
    """The module of one part.

    Raises:
        UnknownPart: no such name, neither shipped, nor an entry point, nor importable.
    """
    if name in names(kind):
        for point in entry_points(group=f"rnn_tuner.{kind}"):
            if point.name == name:
                module: ModuleType = point.load()
                return module
        return importlib.import_module(f"{FOLDERS[kind]}.{name}")
    path = name.partition(":")[0]
    is_path = all(step.isidentifier() for step in path.split("."))
    if is_path and ("." in path or ":" in name):
        try:
            return importlib.import_module(path)
        except ModuleNotFoundError as missing:
            if missing.name and not name.startswith(missing.name):
                raise
    raise UnknownPart(kind, name, names(kind))
