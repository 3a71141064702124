"""Who may write what a trial goes on from: whoever took the trial up last.

A host that was cut off trains on until it learns that nobody listens, while its trial goes on
elsewhere from the last checkpoint. What it writes when its link is back must not mix with the new
attempt's, nor may it delete that one's files.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Protocol

from tuner.errors import LaneBroken

FILE = ".lease"


class Place(Protocol):
    """Where all attempts at a trial look."""

    def read(self, name: str) -> bytes | None:
        """A small file there, or None."""

    def write(self, name: str, content: bytes) -> None:
        """Replaces it as a whole."""

    def delete(self, names: list[str]) -> None:
        """Deletes files, there or not."""


class Lease:
    """One attempt's right to write into a trial's folder."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._token = secrets.token_hex(8).encode()
        self._claimed = False

    def claim(self) -> None:
        """Takes it from any attempt before, once."""
        if not self._claimed:
            self._place.write(FILE, self._token)
            self._claimed = True

    def is_held(self) -> bool:
        """Whether nobody has claimed it since; who has claimed nothing, and so far reads only, is
        in nobody's way."""
        return not self._claimed or self._place.read(FILE) == self._token

    def check(self) -> None:
        """To be called right before writing.

        Raises:
            LaneBroken: a later attempt has taken the trial up, or it is over.
        """
        if not self.is_held():
            raise LaneBroken("another lane has taken this trial up")

    def end(self) -> None:
        """Nobody may write any more until somebody takes it again."""
        self._place.delete([FILE])


class Folder:
    """A place on a disk that all nodes see."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, name: str) -> bytes | None:
        """The file's content."""
        try:
            return (self._path / name).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Without waiting for the disk: after a power cut no attempt is left to be fenced off."""
        self._path.mkdir(parents=True, exist_ok=True)
        temporary = self._path / f"{name}-{os.getpid()}"
        temporary.write_bytes(content)
        temporary.replace(self._path / name)

    def delete(self, names: list[str]) -> None:
        """Files that are not there are no matter."""
        for name in names:
            (self._path / name).unlink(missing_ok=True)
