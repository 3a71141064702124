"""What a sweep that was disturbed has left: metrics, runs, processes."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tuner.tracking.reader import runs
from tuner.tracking.records import Metrics, decode

MARK = "RNN_TUNER_FAULT"
"""A variable that every process of a disturbed sweep inherits."""
WAIT_SECONDS = 30.0
"""Ray's idle workers end by themselves in that time."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """What should be nothing."""

    lost: int
    """Points of curves that were recorded and are not in MLflow."""
    doubled: int
    """Points there twice, and runs."""
    running: int
    """Runs that are said to run on."""


def of(sweep: Path, uri: str) -> Left:
    """Compares a finished sweep's outbox with its tracking database.

    Args:
        sweep: its folder.
        uri: of an SQLite database.
    """
    expected = set()
    for line in (sweep / "outbox" / "records.jsonl").read_bytes().splitlines():
        record = decode(line).record
        if isinstance(record, Metrics):
            expected |= {(record.key, name, record.step) for name in record.values}
    tracked = runs(uri, sweep.name)
    keys = {run.run_id: run.key for run in tracked}
    database = sqlite3.connect(uri.removeprefix("sqlite:///"))
    rows = database.execute("select run_uuid, key, step from metrics").fetchall()
    database.close()
    found = Counter((keys[run], name, step) for run, name, step in rows if run in keys)
    return Left(
        lost=len(expected - found.keys()),
        doubled=sum(n - 1 for n in found.values()) + len(tracked) - len(set(keys.values())),
        running=sum(run.status == "RUNNING" for run in tracked),
    )


def processes(mark: str) -> list[int]:
    """Processes that carry a mark and stay."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (found := _marked(mark)) and time.monotonic() < deadline:
        time.sleep(1)
    return found


def _marked(mark: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={mark}".encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue  # it has ended, or is another user's
    return found
