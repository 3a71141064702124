"""A folder here and one in an object store, made equal by whoever asks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from cluster.storage import ObjectStore

_MANIFEST = ".json"
"""What names other files is written after them and deleted before them, as on a disk."""


class Mirror:
    """Two folders, and what is known to be equal in them.

    Hidden files stay where they are.
    """

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self._store, self._folder = store, folder
        self._there: dict[str, tuple[int, int]] = {}
        """Name → the stamp of an object that lies here as well."""
        self._here: dict[str, tuple[int, int]] = {}
        """Name → the stamp of a file that lies there as well."""

    def pull(self, below: str = "", keep: Collection[str] = ()) -> None:
        """Fetches every object that is new or was written again.

        Args:
            below: a folder of this one; all of it if empty.
            keep: names of files of which the one here counts, if there is one.
        """
        for name, stamp in self._store.stamps(below).items():
            path = self._folder / name
            if _is_hidden(name) or self._there.get(name) == stamp:
                continue
            if path.name in keep and path.exists():
                continue
            try:
                self._store.fetch(name, path)
            except FileNotFoundError:
                continue  # deleted meanwhile
            self._there[name], self._here[name] = stamp, _stamp(path)

    def push(
        self, skip: Iterable[str] = (), before_manifests: Callable[[], None] | None = None
    ) -> None:
        """Stores every file that is new or was written again, and deletes what is no longer here.

        Args:
            skip: names, of files and folders, that are nobody else's business.
            before_manifests: called when all is there but the manifests; may raise to end it.
        """
        skipped = frozenset(skip)
        found = {
            name: _stamp(path)
            for path in self._folder.rglob("*")
            if path.is_file()
            and not _is_hidden(name := str(path.relative_to(self._folder)))
            and name.partition("/")[0] not in skipped
        }
        gone = self._here.keys() - found.keys()
        new = [name for name, stamp in found.items() if self._here.get(name) != stamp]
        if not gone and not new:
            return
        files = [name for name in new if not name.endswith(_MANIFEST)]
        self._put(files, found)
        if before_manifests is not None:
            before_manifests()
        self._put((name for name in new if name.endswith(_MANIFEST)), found)
        self._store.delete(sorted(gone, key=lambda name: not name.endswith(_MANIFEST)))
        for name in gone:
            del self._here[name]
            self._there.pop(name, None)

    def know(self, folder: str) -> None:
        """Takes for equal what has the same name and size on both sides, below a folder whose files
        are written once."""
        for name, stamp in self._store.stamps(folder).items():
            path = self._folder / name
            if path.is_file() and _stamp(path)[0] == stamp[0]:
                self._there[name], self._here[name] = stamp, _stamp(path)

    def _put(self, names: Iterable[str], found: dict[str, tuple[int, int]]) -> None:
        for name in sorted(names):
            self._store.store(self._folder / name, name)
            self._here[name] = found[name]
            # Its own stamp there is not known, and what lies here need not be fetched.
            if (stamp := self._store.stamp(name)) is not None:
                self._there[name] = stamp


def digest(folder: Path) -> str:
    """What stands for the content of a folder, whoever wrote it when."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not _is_hidden(name):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            found.update(f"{content} {name}\n".encode())
    return found.hexdigest()


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in name.split("/"))


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
