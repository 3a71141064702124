"""Drains the outbox from a thread of its own; training never waits for a server."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

from tuner.tracking.delivery import Delivery
from tuner.tracking.faults import MAX_LINE_LENGTH, Forgotten, Unreachable
from tuner.tracking.outbox import Outbox
from tuner.tracking.uri import redact

_log = logging.getLogger(__name__)

INTERVAL = 0.2
"""Seconds between two visits to the disk or the server, so that records go in groups."""
MAX_PAUSE = 30.0
"""Longest pause in seconds between two attempts at a server that does not answer."""
CHUNK = 2000
"""Entries sent before the position is put on file."""


class Writer:
    """Two threads: one puts records on the disk, the other delivers them.

    Apart, because opening MLflow and a hanging server take seconds that no record may wait for.

    Args:
        outbox: drained, and closed at the end.
        delivery: None where nothing is to be sent.
    """

    def __init__(self, outbox: Outbox, delivery: Delivery | None) -> None:
        self._outbox = outbox
        self._delivery = delivery
        self._changed = threading.Condition()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._pause = INTERVAL
        self._broken_off = False
        self._disk_problem: str | None = None
        self._server_problem: str | None = None

    def start(self) -> None:
        """Start both threads, unless they run."""
        if self._threads:
            return
        self._threads.append(
            threading.Thread(target=self._keep_durable, name="tracking-disk", daemon=True)
        )
        if self._delivery is not None:
            self._threads.append(
                threading.Thread(
                    target=self._keep_sending,
                    args=(self._delivery,),
                    name="tracking-server",
                    daemon=True,
                )
            )
        for thread in self._threads:
            thread.start()

    @property
    def problem(self) -> str | None:
        """What stands in the way, in one line without secrets."""
        refused = self._delivery.refused if self._delivery else None
        return self._disk_problem or self._server_problem or refused

    def flush(self, timeout: float) -> bool:
        """Put all records on the disk, then wait until they are delivered."""
        self._outbox.flush()
        target = self._outbox.last
        if len(self._threads) < 2:
            return self._outbox.delivered >= target
        self._wake.set()
        with self._changed:
            return self._changed.wait_for(
                lambda: self._outbox.delivered >= target or self._broken_off,
                timeout,
            ) and (self._outbox.delivered >= target)

    def close(self, timeout: float) -> bool:
        """Flush for at most `timeout` seconds, then stop for good."""
        try:
            everything = self.flush(timeout)
        except OSError as error:
            everything, self._disk_problem = False, _not_on_disk(error)
        self._stop.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(1.0)
        # A thread inside a hanging request still uses the outbox: the process's end closes it.
        if not any(thread.is_alive() for thread in self._threads):
            with suppress(OSError):
                self._outbox.close()
        return everything

    def _keep_durable(self) -> None:
        while not self._stop.wait(INTERVAL):
            try:
                self._outbox.flush()
                self._disk_problem = None
            except OSError as error:
                self._disk_problem = _not_on_disk(error)

    def _keep_sending(self, delivery: Delivery) -> None:
        try:
            while not self._stop.is_set():
                self._wake.wait(self._pause)
                self._wake.clear()
                # Once it is time to stop, what stood in the way must stay told.
                if not self._stop.is_set():
                    self._drain(delivery)
        finally:
            if not self._stop.is_set():
                self._server_problem = "delivery broke off; `tuner sync` delivers the rest"
            with self._changed:
                self._broken_off = True
                self._changed.notify_all()

    def _drain(self, delivery: Delivery) -> None:
        try:
            self._outbox.flush()
            while not self._stop.is_set() and (chunk := self._outbox.unsent(CHUNK)):
                delivery.deliver(chunk.entries)
                self._outbox.acknowledge(chunk)
                with self._changed:
                    self._changed.notify_all()
            self._server_problem, self._pause = None, INTERVAL
        except (Unreachable, OSError) as error:
            if isinstance(error, Forgotten):
                delivery.forget()
                with suppress(OSError):
                    self._outbox.start_over()
            self._server_problem = redact(str(error))[:MAX_LINE_LENGTH]
            _log.debug("tracking waits: %s", self._server_problem)
            self._pause = min(MAX_PAUSE, 2 * max(self._pause, INTERVAL))


def _not_on_disk(error: OSError) -> str:
    return f"the outbox cannot be put on the disk: {error}"
