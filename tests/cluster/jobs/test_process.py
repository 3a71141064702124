"""A process that runs on by itself is known from one that took its number, and from its remains."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.jobs import Phase, process
from cluster.refused import Refused


def test_it_is_a_session_of_its_own_and_stops_on_demand(tmp_path: Path) -> None:
    job = process.submit(
        [sys.executable, "-c", "print('up', flush=True); import time; time.sleep(60)"],
        tmp_path / "log",
    )
    assert os.getsid(int(job.id)) == int(job.id)
    assert process.phase(job) is Phase.RUNNING
    assert process.phase(replace(job, mark="1")) is Phase.RUNNING, "our own child is known"
    process.stop(job)
    _wait(lambda: process.phase(job) is Phase.ENDED)
    process.stop(job)
    assert process.phase(replace(job, place="elsewhere")) is Phase.RUNNING, "nobody can tell"


def test_a_later_process_of_its_number_and_a_zombie_are_not_it() -> None:
    pid = os.fork()
    if not pid:
        signal.pause()
    job = process.Job(kind="process", id=str(pid), place=os.uname().nodename)
    assert process.phase(job) is Phase.RUNNING
    assert process.phase(replace(job, mark="1")) is Phase.ENDED
    os.kill(pid, signal.SIGKILL)
    _wait(lambda: process.phase(job) is Phase.ENDED)
    os.waitpid(pid, 0)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become somebody else")
def test_another_users_process_is_not_ours_to_stop() -> None:
    read, write = os.pipe()
    if not (pid := os.fork()):
        os.setuid(65534)
        try:
            process.stop(process.Job(kind="process", id=str(os.getppid()), place="here"))
        except Refused as refused:
            os.write(write, refused.code.encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 100) == b"sweep/not-yours"


def _wait(holds: object) -> None:
    assert callable(holds)
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
