"""One process works on a sweep; the next is told which, and waits for no dead one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tuner.errors import CommandError
from tuner.lock import held, holder

HOLDER = """
import sys
from pathlib import Path
from tuner.lock import held
with held(Path(sys.argv[1]), "mine"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def other(folder: Path) -> Iterator[int]:
    """Another process that holds the lock, killed at the end."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:  # type: ignore[call-overload]
        assert process.stdout.readline() == "held\n"
        yield process.pid
        process.kill()


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    with other(tmp_path) as pid:
        who = f"process {pid} on {socket.gethostname()}"
        assert str(holder(tmp_path)) == who
        with pytest.raises(CommandError) as refused, held(tmp_path, "mine"):
            pass
        (mistake,) = refused.value.mistakes
        assert (mistake.code, mistake.got) == ("sweep/running", f"it running as {who}")
        assert mistake.where == "the sweep 'mine'"


def test_the_lock_dies_with_its_holder(tmp_path: Path) -> None:
    with other(tmp_path):
        pass
    assert holder(tmp_path) is None
    with held(tmp_path, "mine"):
        assert str(holder(tmp_path)) == f"process {os.getpid()} on {socket.gethostname()}"
    assert holder(tmp_path) is None


def test_is_let_go_when_the_work_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), held(tmp_path, "mine"):
        raise ZeroDivisionError
    with held(tmp_path, "mine"):
        assert holder(tmp_path) is not None


def test_looking_makes_nothing(tmp_path: Path) -> None:
    assert holder(tmp_path) is None and holder(tmp_path / "absent") is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "{}", '{"pid": 1}'])
def test_a_holder_that_has_not_signed_yet_is_not_named(tmp_path: Path, text: str) -> None:
    with held(tmp_path, "mine"):
        (tmp_path / "lock").write_text(text)
        assert str(holder(tmp_path)).endswith("on ?")


def test_folders_are_apart(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with held(tmp_path / "a", "a"), held(tmp_path / "b", "b"):
        assert holder(tmp_path / "a") == holder(tmp_path / "b")
