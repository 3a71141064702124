"""Delivers what a sweep left in its outbox, once the sweep is no longer alive."""

from __future__ import annotations

from pathlib import Path

from tuner.errors import CommandError, Mistake
from tuner.tracking.outbox import read_header
from tuner.tracking.tracker import OUTBOX, Tracker


def sync(folder: Path, uri: str, *, timeout: float = 3600.0) -> str | None:
    """Deliver a sweep's outbox, and close as KILLED the runs that a crash left open.

    An outbox delivered elsewhere before is delivered to `uri` as a whole.

    Args:
        folder: the sweep's folder.
        uri: the server or database.
        timeout: seconds after which to give up; a later `sync` goes on from there.

    Returns:
        None if everything arrived, else what stood in the way, in one line.

    Raises:
        CommandError: there is no outbox, or the sweep is still alive.
    """
    header = read_header(folder / OUTBOX)
    if header is None:
        raise CommandError(
            Mistake(
                code="tracking/no-outbox",
                rule="a sweep that can be delivered has an outbox",
                where=str(folder),
                got="none",
                fix="Name the folder of a sweep.",
            )
        )
    tracker = Tracker(uri, header.experiment, folder)
    for key in tracker.open_keys():
        tracker.end(key, "KILLED")
    tracker.start()
    if tracker.close(timeout):
        return None
    return tracker.problem or f"{tracker.pending()} records were not delivered in {timeout:g} s"
