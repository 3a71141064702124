"""Which MLflow run belongs to which key: on file before a run's first metric is sent."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

FILE = "runs.jsonl"


@dataclass(frozen=True, kw_only=True)
class _Line:
    destination: str
    uid: str
    key: str
    run_id: str


_LINE = TypeAdapter(_Line)


class RunIds:
    """Run ids of one sweep at one destination; a line is added for each, none is rewritten.

    Args:
        folder: the outbox's.
        destination: where the runs are; ids of other destinations are kept, not used.
    """

    def __init__(self, folder: Path, destination: str) -> None:
        self._path = folder / FILE
        self._destination = destination
        self._mutex = threading.Lock()
        self._ids: dict[str, str] = {}
        self.uid: str | None = None
        """The sweep's identity, kept here too in case the outbox lost its first line."""
        for line in self._read():
            self.uid = line.uid
            if line.destination == destination:
                self._ids[line.key] = line.run_id

    def get(self, key: str) -> str | None:
        """The run of one key."""
        with self._mutex:
            return self._ids.get(key)

    def add(self, ids: Mapping[str, str]) -> None:
        """Put runs' ids on the disk, by key."""
        assert self.uid is not None, "the tracker sets it first"
        text = b"".join(
            _LINE.dump_json(
                _Line(destination=self._destination, uid=self.uid, key=key, run_id=run_id)
            )
            + b"\n"
            for key, run_id in ids.items()
        )
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, text)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with self._mutex:
            self._ids.update(ids)

    def forget(self) -> None:
        """Use none of them any more: the destination does not know them. Lines added later win."""
        with self._mutex:
            self._ids.clear()

    def _read(self) -> list[_Line]:
        """The whole lines; a torn one is cut off, as its run is found again by its tag."""
        if not self._path.is_file():
            return []
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(self._path, len(whole))
        lines = []
        for text in whole.splitlines():
            try:
                lines.append(_LINE.validate_json(text))
            except ValueError:
                continue
        return lines
