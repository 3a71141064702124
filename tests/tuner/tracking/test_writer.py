"""The writer: a server that is away costs nothing but time, and its trouble is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tuner.tracking.faults import Forgotten, Unreachable
from tuner.tracking.outbox import Outbox
from tuner.tracking.records import Entry, Metrics
from tuner.tracking.writer import CHUNK, Writer


class Server:
    """A delivery to a list; `trouble` is raised instead, once half of the entries arrived."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble
        self.arrived: list[int] = []
        """Numbers of all entries, those sent in vain included."""
        self.num_forgotten = 0
        self.refused: str | None = None
        self.gate = threading.Event()
        """Closed, it is a request that hangs."""
        self.gate.set()

    def deliver(self, entries: list[Entry]) -> None:
        self.gate.wait(10)
        numbers = [entry.number for entry in entries]
        if self.trouble is not None:
            self.arrived += numbers[: len(numbers) // 2]
            raise self.trouble
        self.arrived += numbers

    def forget(self) -> None:
        self.num_forgotten += 1
        self.trouble = None


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path, "there")


def writing(outbox: Outbox, server: Server | None) -> Writer:
    writer = Writer(outbox, server)  # type: ignore[arg-type]
    writer.start()
    return writer


def put(outbox: Outbox, count: int) -> None:
    for step in range(count):
        outbox.put(Metrics(key="trial", step=step, time_ms=step, values={"loss": 0.5}))


def eventually(true: Callable[[], bool]) -> bool:
    for _ in range(500):
        if true():
            return True
        time.sleep(0.01)
    return False


def test_everything_arrives_once_and_in_order(outbox: Outbox) -> None:
    server = Server()
    writer = writing(outbox, server)
    put(outbox, 2 * CHUNK + 5)
    assert writer.flush(30)
    assert server.arrived == list(range(1, 2 * CHUNK + 6))
    assert writer.close(5) and writer.problem is None


@pytest.mark.parametrize("trouble", [Unreachable("no route"), ConnectionResetError("no route")])
def test_what_a_server_missed_arrives_when_it_is_back(outbox: Outbox, trouble: Exception) -> None:
    server = Server(trouble)
    writer = writing(outbox, server)
    put(outbox, 10)
    assert not writer.flush(0.1)
    assert eventually(lambda: writer.problem == "no route")
    put(outbox, 10)
    assert outbox.pending() == 20
    server.trouble = None
    server.arrived.clear()
    assert writer.flush(30)
    assert server.arrived == list(range(1, 21))
    assert eventually(lambda: writer.problem is None)
    assert writer.close(5) and outbox.pending() == 0


def test_the_problem_is_one_line_without_secrets(outbox: Outbox) -> None:
    server = Server(Unreachable("cannot reach https://me:hunter2@host/?token=abc " + "x" * 900))
    writer = writing(outbox, server)
    put(outbox, 1)
    assert eventually(lambda: writer.problem is not None)
    assert writer.problem is not None and len(writer.problem) <= 300
    assert "https://***@host" in writer.problem
    assert "hunter2" not in writer.problem and "abc" not in writer.problem


def test_why_something_is_left_is_told_after_closing(outbox: Outbox) -> None:
    writer = writing(outbox, Server(Unreachable("no route")))
    put(outbox, 1)
    assert eventually(lambda: writer.problem == "no route")
    assert not writer.close(0)
    assert writer.problem == "no route"


def test_a_refusal_stays_told_while_delivery_goes_on(outbox: Outbox) -> None:
    server = Server()
    server.refused = "MLflow refused lr"
    writer = writing(outbox, server)
    put(outbox, 1)
    assert writer.close(10) and writer.problem == "MLflow refused lr"


def test_a_server_that_forgot_gets_everything_again(outbox: Outbox) -> None:
    server = Server()
    writer = writing(outbox, server)
    put(outbox, 4)
    assert writer.flush(10)
    server.arrived.clear()
    server.trouble = Forgotten("no such run")
    put(outbox, 2)
    assert eventually(lambda: server.num_forgotten == 1)
    assert writer.flush(10)
    assert server.arrived[-6:] == [1, 2, 3, 4, 5, 6]
    assert writer.close(5)


def test_closing_leaves_the_rest_for_later(outbox: Outbox, tmp_path: Path) -> None:
    writer = writing(outbox, Server(Unreachable("down")))
    put(outbox, 3)
    assert not writer.close(0.1)

    later = Outbox(tmp_path, "there")
    assert later.pending() == 3
    server = Server()
    assert writing(later, server).close(10)
    assert server.arrived == [1, 2, 3]


def test_a_request_that_hangs_holds_nobody_up(outbox: Outbox) -> None:
    server = Server()
    server.gate.clear()
    writer = writing(outbox, server)
    put(outbox, 3)
    assert not writer.flush(0.1)
    put(outbox, 3)
    assert not writer.close(0)
    outbox.put(Metrics(key="trial", step=9, time_ms=9, values={}))
    server.gate.set()
    assert eventually(lambda: outbox.delivered >= 3), "the thread still has its outbox"


def test_without_a_server_records_are_kept(outbox: Outbox, tmp_path: Path) -> None:
    writer = writing(outbox, None)
    put(outbox, 3)
    assert not writer.flush(10) and not writer.close(10)
    assert writer.problem is None
    later = Outbox(tmp_path, "there")
    assert later.pending() == 3
    later.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_waits_for_a_delivery_that_broke_off(outbox: Outbox) -> None:
    server = Server(ZeroDivisionError("a bug of ours"))
    server.gate.clear()
    writer = writing(outbox, server)
    put(outbox, 3)
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(writer.flush(600)), daemon=True)
    waiting.start()
    server.gate.set()
    waiting.join(5)
    assert answers == [False]
    assert writer.problem == "delivery broke off; `tuner sync` delivers the rest"
    assert not writer.close(600) and outbox.pending() == 3


class FullDisk(Outbox):
    """An outbox whose disk has no room for what was put last."""

    room = False

    def flush(self) -> None:
        if not self.room:
            raise OSError("no space left")
        super().flush()


def test_a_full_disk_is_told_until_there_is_room(tmp_path: Path) -> None:
    outbox = FullDisk(tmp_path, "there")
    server = Server()
    writer = writing(outbox, server)
    put(outbox, 2)
    assert eventually(lambda: "cannot be put on the disk" in (writer.problem or ""))
    assert server.arrived == []
    outbox.room = True
    assert writer.flush(10) and server.arrived == [1, 2]
    assert eventually(lambda: writer.problem is None)
    assert writer.close(5)


def test_closing_on_a_full_disk_stops_all_the_same(tmp_path: Path) -> None:
    others = set(threading.enumerate())
    outbox = FullDisk(tmp_path, "there")
    writer = writing(outbox, Server())
    put(outbox, 2)
    with suppress(OSError):
        writer.close(0)
    outbox.room = True
    assert eventually(lambda: set(threading.enumerate()) <= others)
