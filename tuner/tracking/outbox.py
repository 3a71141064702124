"""The outbox: a file of records that outlives process, server and power, written before sending."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tuner.errors import CommandError, Mistake
from tuner.tracking.records import Entry, Header, Record, decode, encode

_log = logging.getLogger(__name__)

RECORDS = "records.jsonl"
DELIVERED = "delivered.json"
REFUSED = "refused.jsonl"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Entries in a row, and where in the file the next one starts."""

    entries: list[Entry]
    end: int

    @property
    def last(self) -> int:
        """Number of the last entry."""
        return self.entries[-1].number


class Outbox:
    """An append-only file of numbered records, and up to where they were delivered.

    `put` hands a record to the operating system, so that it outlives this process; `flush` puts
    all of them on the disk. Only what is on the disk is ever sent.

    Args:
        folder: made if it is not there, for its owner only.
        destination: whom the position delivered counts for; another destination starts at zero.

    Raises:
        CommandError: another process has it open.
    """

    def __init__(self, folder: Path, destination: str) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._path = folder / RECORDS
        self._destination = destination
        self._mutex = threading.Lock()
        self._lock_file = _hold(folder / "lock")
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._delivered = _read_delivered(folder / DELIVERED, destination)
        self._sent_to = 0
        self._end = 0
        self.last = self._delivered
        self._scan()
        self._durable = self._end
        _sync_folder(folder)

    def put(self, record: Record) -> None:
        """Append one record.

        Raises:
            OSError: it could not be written whole; nothing of it stays.
        """
        with self._mutex:
            line = encode(Entry(number=self.last + 1, record=record))
            try:
                written = 0
                while written < len(line):
                    # A full disk takes a part first; the rest raises what is wrong.
                    written += os.write(self._file, line[written:])
            except OSError:
                os.ftruncate(self._file, self._end)
                raise
            self._end += len(line)
            self.last += 1

    def flush(self) -> None:
        """Put everything so far on the disk."""
        with self._mutex:
            end = self._end
        if end > self._durable:
            os.fsync(self._file)
            self._durable = max(self._durable, end)

    def entries(self) -> Iterator[Entry]:
        """All entries from the first, delivered or not."""
        for _, entry in self._lines(0, self._end):
            if entry is not None:
                yield entry

    def unsent(self, limit: int) -> Chunk | None:
        """The next entries on the disk that were not delivered, at most `limit`."""
        entries = []
        end = self._sent_to
        for reached, entry in self._lines(self._sent_to, self._durable):
            end = reached
            if entry is not None:
                entries.append(entry)
            if len(entries) == limit:
                break
        return Chunk(entries, end) if entries else None

    def acknowledge(self, chunk: Chunk) -> None:
        """Remember that everything up to this chunk's end was delivered."""
        self._sent_to = chunk.end
        self._set_delivered(chunk.last)

    def start_over(self) -> None:
        """Count nothing as delivered: the destination has forgotten it."""
        self._sent_to = 0
        self._set_delivered(0)

    def refuse(self, key: str, what: str, reason: str) -> None:
        """Keep on file what the destination will never take."""
        told = {"destination": self._destination, "key": key, "what": what, "reason": reason}
        with open(self._folder / REFUSED, "a", encoding="utf-8", opener=_private) as file:
            file.write(json.dumps(told) + "\n")

    @property
    def delivered(self) -> int:
        """Number of the last entry delivered."""
        return self._delivered

    def pending(self) -> int:
        """How many entries wait."""
        return self.last - self._delivered

    def close(self) -> None:
        """Flush, and let others open it."""
        self.flush()
        os.close(self._file)
        os.close(self._lock_file)

    def _set_delivered(self, number: int) -> None:
        text = json.dumps({"destination": self._destination, "number": number})
        write_atomically(self._folder / DELIVERED, text)
        self._delivered = number

    def _scan(self) -> None:
        """Find the ends of the file and of what was delivered; cut off what a crash left half."""
        size = os.fstat(self._file).st_size
        num_bad = num_bad_before_end = 0
        for end, entry in self._lines(0, size):
            if entry is None:
                num_bad += 1
                continue
            num_bad_before_end = num_bad
            self._end = end
            self.last = max(self.last, entry.number)
            if entry.number <= self._delivered:
                self._sent_to = end
        if num_bad_before_end:
            _log.warning("%s: %d damaged records left out", self._path, num_bad_before_end)
        if self._end < size:
            _log.warning(
                "%s: a torn record of %d bytes dropped at the end", self._path, size - self._end
            )
            os.ftruncate(self._file, self._end)
            os.fsync(self._file)

    def _lines(self, start: int, stop: int) -> Iterator[tuple[int, Entry | None]]:
        """End and entry of each line between two offsets; None for what cannot be read."""
        with open(self._path, "rb") as file:
            file.seek(start)
            while start < stop and (line := file.readline()):
                start += len(line)
                yield start, _decode(line)


def read_header(folder: Path) -> Header | None:
    """The first whole header of an outbox that need not be open; None where there is none."""
    path = folder / RECORDS
    if not path.is_file():
        return None
    with open(path, "rb") as file:
        for line in file:
            entry = _decode(line)
            if entry is not None and isinstance(entry.record, Header):
                return entry.record
    return None


def write_atomically(path: Path, text: str) -> None:
    """Replace a small file so that a crash leaves either the old text or the new."""
    temporary = path.with_suffix(".tmp")
    with open(temporary, "w", encoding="utf-8", opener=_private) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    _sync_folder(path.parent)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _decode(line: bytes) -> Entry | None:
    if not line.endswith(b"\n"):
        return None
    try:
        return decode(line)
    except ValueError:
        return None


def _read_delivered(path: Path, destination: str) -> int:
    """The number on file; zero if it is damaged or another destination's, as replays do no harm."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return 0
    match found:
        case {"destination": str(known), "number": int(number)} if known == destination:
            return number
    return 0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _hold(path: Path) -> int:
    """Lock a file for the life of this process, and write into it who holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 200).decode("utf-8", "replace") or "another process"
        os.close(descriptor)
        raise CommandError(
            Mistake(
                code="tracking/outbox-busy",
                rule="one process at a time writes a sweep's outbox",
                where=str(path.parent),
                got=f"held by {holder}",
                fix="Wait until it ends, or stop it.",
            )
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
    return descriptor
