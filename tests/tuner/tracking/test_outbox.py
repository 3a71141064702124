"""The outbox: cut, damaged or full it keeps every whole record, and one process writes it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tuner.errors import CommandError
from tuner.tracking.outbox import DELIVERED, RECORDS, REFUSED, Outbox, read_header, write_atomically
from tuner.tracking.records import Entry, Header, Metrics, Record, decode

HEADER = Header(uid="u", experiment="e")


def point(step: int) -> Metrics:
    return Metrics(key="trial", step=step, time_ms=1_000 + step, values={"loss": step / 3})


def filled(folder: Path, count: int) -> list[Record]:
    """An outbox that is closed again, with a header and `count` points."""
    records: list[Record] = [HEADER, *map(point, range(count))]
    outbox = Outbox(folder, "there")
    for record in records:
        outbox.put(record)
    outbox.close()
    return records


def reopened(folder: Path, destination: str = "there") -> tuple[list[Entry], int]:
    """All entries, and how many wait for a destination."""
    outbox = Outbox(folder, destination)
    entries, pending = list(outbox.entries()), outbox.pending()
    outbox.close()
    return entries, pending


def test_holds_what_was_put_in_order(tmp_path: Path) -> None:
    records = filled(tmp_path, 5)
    entries, pending = reopened(tmp_path)
    assert [entry.record for entry in entries] == records
    assert [entry.number for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert pending == 6
    assert read_header(tmp_path) == HEADER


def test_is_for_its_owner_only(tmp_path: Path) -> None:
    filled(tmp_path / "outbox", 1)
    assert (tmp_path / "outbox").stat().st_mode & 0o777 == 0o700
    files = list((tmp_path / "outbox").iterdir())
    assert {path.name for path in files} == {RECORDS, "lock"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


def test_a_tail_torn_at_any_byte_is_dropped_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    records = filled(tmp_path, 1)
    whole = (tmp_path / RECORDS).read_bytes()
    start = whole.index(b"\n") + 1
    for cut in range(start, len(whole)):
        (tmp_path / RECORDS).write_bytes(whole[:cut])
        caplog.clear()
        outbox = Outbox(tmp_path, "there")
        assert [entry.record for entry in outbox.entries()] == records[:1], cut
        assert ("torn record" in caplog.text) == (cut > start), cut
        outbox.put(point(7))
        outbox.close()
        lines = (tmp_path / RECORDS).read_bytes().splitlines(keepends=True)
        assert [decode(line).number for line in lines] == [1, 2], "the next one takes its place"


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff\x00", b'{"number": 3', b'"text"'])
def test_a_record_damaged_in_the_middle_takes_no_other_with_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    filled(tmp_path, 4)
    lines = (tmp_path / RECORDS).read_bytes().splitlines()
    lines[2] = damage
    (tmp_path / RECORDS).write_bytes(b"\n".join([*lines, b""]))

    outbox = Outbox(tmp_path, "there")

    assert "1 damaged records left out" in caplog.text
    assert [entry.number for entry in outbox.entries()] == [1, 2, 4, 5]
    chunk = outbox.unsent(10)
    assert chunk is not None and [entry.number for entry in chunk.entries] == [1, 2, 4, 5]
    outbox.acknowledge(chunk)
    assert outbox.unsent(10) is None and outbox.pending() == 0
    outbox.close()


def test_sends_only_what_is_on_the_disk_and_not_yet_delivered(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, "there")
    for step in range(5):
        outbox.put(point(step))
    assert outbox.unsent(10) is None, "not flushed"
    outbox.flush()
    seen = []
    while chunk := outbox.unsent(2):
        seen.append([entry.number for entry in chunk.entries])
        outbox.acknowledge(chunk)
    assert seen == [[1, 2], [3, 4], [5]]
    assert (outbox.delivered, outbox.pending()) == (5, 0)
    outbox.start_over()
    again = outbox.unsent(10)
    assert again is not None and len(again.entries) == 5 and outbox.delivered == 0
    outbox.close()


def test_the_position_outlives_the_process_and_counts_for_one_destination(tmp_path: Path) -> None:
    filled(tmp_path, 4)
    outbox = Outbox(tmp_path, "there")
    chunk = outbox.unsent(3)
    assert chunk is not None
    outbox.acknowledge(chunk)
    outbox.close()

    outbox = Outbox(tmp_path, "there")
    rest = outbox.unsent(10)
    assert rest is not None and [entry.number for entry in rest.entries] == [4, 5]
    outbox.close()
    assert reopened(tmp_path, "there")[1] == 2
    assert reopened(tmp_path, "elsewhere")[1] == 5


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"number": 2}', '{"destination": "there", "number": "2"}', "\x00"]
)
def test_a_damaged_position_delivers_everything_again(tmp_path: Path, text: str) -> None:
    filled(tmp_path, 2)
    (tmp_path / DELIVERED).write_text(text)
    assert reopened(tmp_path)[1] == 3


def test_numbers_never_come_twice_when_the_records_are_lost(tmp_path: Path) -> None:
    filled(tmp_path, 4)
    (tmp_path / DELIVERED).write_text(json.dumps({"destination": "there", "number": 5}))
    (tmp_path / RECORDS).unlink()
    outbox = Outbox(tmp_path, "there")
    outbox.put(point(9))
    outbox.flush()
    chunk = outbox.unsent(10)
    assert chunk is not None and chunk.last == 6
    outbox.close()


def full_disk(*sizes: int) -> Callable[[int, bytes], int]:
    """An `os.write` that takes a part of so many bytes at each call, and then raises."""
    write = os.write
    left = list(sizes)

    def limited(descriptor: int, data: bytes) -> int:
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[: left.pop(0)])

    return limited


@pytest.mark.parametrize("sizes", [(), (1,), (20,), (20, 5)])
def test_a_full_disk_leaves_nothing_of_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...]
) -> None:
    outbox = Outbox(tmp_path, "there")
    outbox.put(HEADER)
    before = (tmp_path / RECORDS).read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full_disk(*sizes))
        with pytest.raises(OSError, match="No space"):
            outbox.put(point(0))
    assert (tmp_path / RECORDS).read_bytes() == before
    assert outbox.last == 1
    outbox.put(point(1))
    outbox.close()
    assert [entry.record for entry in reopened(tmp_path)[0]] == [HEADER, point(1)]


def test_a_record_taken_in_many_parts_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox(tmp_path, "there")
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full_disk(*[10] * 40))
        outbox.put(point(0))
        outbox.put(point(1))
    outbox.close()
    assert [entry.record for entry in reopened(tmp_path)[0]] == [point(0), point(1)]


HOLDER = """
import sys
from pathlib import Path
from tuner.tracking.outbox import Outbox
outbox = Outbox(Path(sys.argv[1]), "there")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as holder:  # type: ignore[call-overload]
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CommandError, match=f"process {holder.pid} on ") as refused:
            Outbox(tmp_path, "there")
        holder.kill()
    assert [m.code for m in refused.value.mistakes] == ["tracking/outbox-busy"]
    assert reopened(tmp_path) == ([], 0), "the lock died with its holder"


def test_refusals_are_kept_on_file(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, "there")
    outbox.refuse("trial", "lr", "it is\nlong")
    outbox.refuse("trial", "loss", "no")
    outbox.close()
    told = [json.loads(line) for line in (tmp_path / REFUSED).read_text().splitlines()]
    assert [line["what"] for line in told] == ["lr", "loss"]
    assert told[0]["destination"] == "there"


@pytest.mark.parametrize("content", [b"", b"{\n", b'{"number": 1'])
def test_a_folder_without_a_header_has_none(tmp_path: Path, content: bytes) -> None:
    assert read_header(tmp_path) is None
    (tmp_path / RECORDS).write_bytes(content)
    assert read_header(tmp_path) is None


def test_small_files_are_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_atomically(tmp_path / "small.json", "old")

    def failing(descriptor: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="broken"):
        write_atomically(tmp_path / "small.json", "new")
    assert (tmp_path / "small.json").read_text() == "old"
