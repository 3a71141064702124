"""The copy of a sweep's folder in an object store, where its nodes share no disk.

The folder itself stays on the driver's disk, as SQLite and locks need one. Lanes read and write the
copy; what they wrote is fetched before anybody here looks at it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.refused import Refused
from cluster.storage import ObjectStore
from cluster.uris import joined
from tuner import cluster_file
from tuner.errors import ClusterError
from tuner.files import write_text
from tuner.home import PARTS, SPEC
from tuner.mirror import Mirror, digest
from tuner.results import curve
from tuner.training.job import Remote

if TYPE_CHECKING:
    from tuner.home import Home

_PLACE = "storage.json"
"""In a sweep's folder: the store that it began with, for who resumes it without the cluster's
file."""
_DATA, _TRIALS = "data", "trials"
_OURS = ("lock", "tune", _PLACE)
"""What means nothing elsewhere."""
_MOVING = ("study.db", "study.db-wal", "study.db-shm", "outbox")
"""What changes while a sweep runs, and is whole only when it has stopped."""
_CURVES = (curve.CURVE, curve.PICTURE, curve.GRADIENTS, "error.txt")
"""What the driver itself writes of a trial."""


def place_of(folder: Path, uri: str | None) -> str | None:
    """The store of a sweep: of its cluster, else the one that it began with."""
    if uri is not None:
        return uri
    path = folder / _PLACE
    return json.loads(path.read_text(encoding="utf-8"))["uri"] if path.exists() else None


def keep_place(folder: Path, uri: str) -> None:
    """Has a sweep's folder say which store it belongs to."""
    write_text(folder / _PLACE, json.dumps({"uri": uri}))


def fetch(home: Home, name: str, uri: str) -> None:
    """Has a sweep that is only in the store lie in this home.

    Raises:
        ClusterError: the store does not answer, or not to us.
    """
    temporary = home.unfinished(name)
    with _told():
        store = ObjectStore(joined(uri, name))
        if store.stamp(SPEC) is None:
            return
        try:
            Mirror(store, temporary).pull()
            keep_place(temporary, uri)
            temporary.rename(home.folder(name))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


class Copy:
    """One sweep's copy.

    Args:
        folder: of the sweep, here.
        uri: of the folder of all sweeps, there.
    """

    def __init__(self, folder: Path, uri: str) -> None:
        with _told():
            self._store = ObjectStore(joined(uri, folder.name))
        self._folder = folder
        self._mirror = Mirror(self._store, folder)

    def begin(self) -> Remote:
        """Copies all that lanes need; gives where they find it.

        Raises:
            ClusterError: the store does not answer, or not to us.
        """
        with _told():
            # Prepared once, and possibly large.
            self._mirror.know(_DATA)
            # What lanes wrote before a crash of the driver lies there alone.
            self._mirror.pull(_TRIALS, keep=_CURVES)
            self._mirror.push(skip=(*_OURS, *_MOVING))
        fixed = [name for name in (_DATA, PARTS) if (self._folder / name).is_dir()]
        return Remote(
            uri=self._store.uri,
            folder=str(self._folder),
            digests={name: digest(self._folder / name) for name in fixed},
        )

    def fetch(self) -> None:
        """Brings here what lanes have written.

        Raises:
            ClusterError: the store does not answer, or not to us.
        """
        with _told():
            self._mirror.pull(_TRIALS, keep=_CURVES)

    def end(self) -> str:
        """Copies how the sweep has ended, with all that `resume` elsewhere would need; gives why it
        could not, if so."""
        try:
            self._mirror.pull(_TRIALS, keep=_CURVES)
            self._mirror.push(skip=_OURS)
        except Refused as refused:
            return f"the copy in {refused.where} is not complete: {refused.got}"
        return ""


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        raise ClusterError(cluster_file.told(refused)) from None
