"""A folder in an object store: `s3://bucket/sweeps`, or what else pyarrow opens by a URI.

Nodes that share no disk pass files to each other through it.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

from cluster.storage_errors import told
from cluster.uris import resolved

CONNECT_SECONDS = 3.0
ATTEMPTS = 2
"""pyarrow's own patience would keep a user waiting for minutes where nobody answers."""


class ObjectStore:
    """One folder there, and all below it.

    Every method raises `Refused` where the store does not answer, or not to us.
    """

    def __init__(self, uri: str) -> None:
        self.uri = resolved(uri)
        self._place = self.uri.partition("?")[0]
        with self._told():
            self._files, self._root = _opened(urlsplit(self.uri))

    def stamps(self, below: str = "") -> dict[str, tuple[int, int]]:
        """Name below this folder → size and time of writing, of every object.

        Args:
            below: a folder of this one; all of it if empty.
        """
        from pyarrow.fs import FileSelector

        place = self._path(below) if below else self._root
        selector = FileSelector(place, recursive=True, allow_not_found=True)
        with self._told():
            found = [info for info in self._files.get_file_info(selector) if info.is_file]
        return {
            info.path.removeprefix(f"{self._root}/"): (info.size, info.mtime_ns or 0)
            for info in found
        }

    def stamp(self, name: str) -> tuple[int, int] | None:
        """Size and time of writing of one object, or None."""
        with self._told():
            info = self._files.get_file_info(self._path(name))
        return (info.size, info.mtime_ns or 0) if info.is_file else None

    def read(self, name: str) -> bytes | None:
        """A small object, or None."""
        try:
            with self._told(), self._files.open_input_stream(self._path(name)) as stream:
                content: bytes = stream.read()
                return content
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """Replaces an object as a whole."""
        with self._told(), self._files.open_output_stream(self._path(name)) as stream:
            stream.write(content)

    def fetch(self, name: str, to: Path) -> None:
        """Copies an object to a file, which is there as a whole or not at all.

        Raises:
            FileNotFoundError: there is no such object.
        """
        to.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=to.parent, prefix=".fetched-")
        try:
            with os.fdopen(handle, "wb") as file, self._told():
                with self._files.open_input_stream(self._path(name)) as stream:
                    shutil.copyfileobj(stream, file, 1 << 20)
            os.replace(temporary, to)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def store(self, path: Path, name: str) -> None:
        """Copies a file to an object."""
        with path.open("rb") as file, self._told():
            with self._files.open_output_stream(self._path(name)) as stream:
                shutil.copyfileobj(file, stream, 1 << 20)

    def delete(self, names: Iterable[str]) -> None:
        """Deletes objects; those that are gone already are no matter."""
        for name in names:
            with self._told():
                try:
                    self._files.delete_file(self._path(name))
                except FileNotFoundError:
                    continue

    def check(self) -> None:
        """Writes, reads and deletes a small object.

        Raises:
            Refused: one of it cannot be done.
        """
        name = f".probe-{secrets.token_hex(8)}"
        self.write(name, b"probe")
        self.read(name)
        self.delete([name])

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turns what pyarrow raises into a refusal that says what to do.

        A missing object stays a `FileNotFoundError`, and what goes wrong with a file here an
        `OSError` with its number.
        """
        try:
            yield
        except (OSError, ValueError) as failed:
            text = str(failed)
            if isinstance(failed, FileNotFoundError) and "NO_SUCH_BUCKET" not in text:
                raise
            if isinstance(failed, OSError) and failed.filename is not None:
                raise
            raise told(self._place, text) from None


def _opened(parts: SplitResult) -> tuple[Any, str]:
    """The file system, and the folder's path on it."""
    from pyarrow import fs

    if parts.scheme != "s3":
        files, root = fs.FileSystem.from_uri(urlunsplit(parts))
        return files, root.rstrip("/")
    query = dict(parse_qsl(parts.query))
    files = fs.S3FileSystem(
        endpoint_override=query.get("endpoint_override"),
        scheme=query.get("scheme", "https"),
        region=query.get("region"),
        connect_timeout=CONNECT_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        background_writes=False,
    )
    return files, f"{parts.hostname}{parts.path}"
