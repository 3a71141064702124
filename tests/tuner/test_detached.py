"""A sweep that runs on by itself: seen, stopped and resumed, here and through Ray Jobs."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path

import made
import pytest
from command import tuner, write_spec

from tuner import detached, lock
from tuner.errors import CommandError, NotStarted
from tuner.sweep import Sweep
from tuner.tracking.reader import runs
from tuner.tracking.uri import local_uri


def make(folder: Path, **changes: object) -> Path:
    """A sweep that takes a while: 20 trials of 40 epochs."""
    made.sequences_csv(folder / "rows.csv", num=150)
    override = {"model/hidden_size": [4, 8, 12, 16], "model/layers": 1, "training/epochs": 40}
    search = {"trials": 20, "seed": 3, "scheduler": "none"}
    return write_spec(folder / "small.yaml", override=override, search=search, **changes)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a sweep was detached, seen, stopped, and resumed to its end."""
    return tmp_path_factory.mktemp("detached")


def wait_until(seen: str, folder: Path) -> None:
    log = folder / "sweeps" / "small" / "sweep.log"
    deadline = time.monotonic() + 60
    while seen not in (said := log.read_text()):
        assert time.monotonic() < deadline, said
        time.sleep(0.1)


def runs_still(pid: int) -> bool:
    """Whether a process is there and no zombie, which its new parent has yet to bury."""
    try:
        return ") Z " not in Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return False


def test_a_detached_sweep_is_seen_stopped_and_resumed(folder: Path) -> None:
    make(folder)
    begun = tuner("sweep", "small.yaml", "--detach", cwd=folder)
    assert begun.returncode == 0, begun.stderr
    assert "runs as process" in begun.stdout and "tuner logs small" in begun.stdout
    held = lock.holder(folder / "sweeps" / "small")
    assert held is not None and os.getsid(held.pid) == held.pid, "a session of its own"
    seen = tuner("status", cwd=folder).stdout
    assert "running" in seen and f"process {held.pid} on" in seen
    again = tuner("resume", "small", "--detach", cwd=folder)
    assert again.returncode == 2 and "sweep/running" in again.stderr
    wait_until("trial 0: COMPLETE", folder)
    stopped = tuner("stop", "small", cwd=folder)
    assert stopped.returncode == 0 and "has stopped" in stopped.stdout, stopped.stderr
    assert not runs_still(held.pid)
    assert "interrupted" in tuner("status", cwd=folder).stdout
    assert "`tuner resume small` goes on" in tuner("logs", "small", cwd=folder).stdout
    again = tuner("stop", "small", cwd=folder)
    assert again.returncode == 2 and "sweep/not-running" in again.stderr
    begun = tuner("resume", "small", "--detach", cwd=folder)
    assert begun.returncode == 0, begun.stderr
    said = tuner("logs", "small", "--follow", cwd=folder).stdout
    assert "20 trials (" in said and "best model:" in said, "followed to its end"
    assert said.count("trial 0: COMPLETE") == 1, "what had ended is not run again"
    assert "finished" in tuner("status", cwd=folder).stdout
    shown = tuner("sweep", "small.yaml", "--detach", cwd=folder)
    assert shown.returncode == 0 and "majority class" in shown.stdout, "nothing is left to run"


def test_one_that_is_stopped_while_it_starts_leaves_nothing_running(tmp_path: Path) -> None:
    make(tmp_path)
    begun = tuner("sweep", "small.yaml", "--detach", cwd=tmp_path)
    assert begun.returncode == 0, begun.stderr
    stopped = tuner("stop", "small", cwd=tmp_path)
    assert "has stopped" in stopped.stdout, stopped.stderr
    said = tuner("logs", "small", cwd=tmp_path).stdout
    assert "trial 0" not in said and "`tuner resume small` goes on" in said
    assert not [r for r in runs(local_uri(tmp_path / "sweeps"), "small") if r.status == "RUNNING"]


def test_mistakes_are_met_at_the_terminal(tmp_path: Path) -> None:
    make(tmp_path, resources={"workers": 1000})
    done = tuner("sweep", "small.yaml", "--detach", cwd=tmp_path)
    assert done.returncode == 2 and "resources/workers" in done.stderr
    assert not (tmp_path / "sweeps").exists(), "nothing is created"


def prepared(folder: Path) -> Sweep:
    sweep = Sweep.from_file(make(folder), home=folder / "sweeps")
    sweep.prepare()
    return sweep


def test_what_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    sweep = prepared(tmp_path)
    (tmp_path / "rows.csv").write_text("changed\n")
    with pytest.raises(NotStarted, match="data changed|must not change|rows.csv"):
        detached.start(sweep)


def test_a_sweep_in_the_foreground_has_no_log_to_show(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="sweep/no-log"):
        next(detached.log(prepared(tmp_path), follow=False))


def test_a_sweep_of_another_host_is_not_signalled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = prepared(tmp_path)
    monkeypatch.setattr(lock, "holder", lambda _: lock.Holder(os.getpid(), "elsewhere"))
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("a process here was signalled"))
    with pytest.raises(CommandError, match="on elsewhere"):
        detached.stop(sweep)


def test_a_process_that_took_a_dead_ones_number_is_not_taken_for_it(tmp_path: Path) -> None:
    sweep = prepared(tmp_path)
    job = {"kind": "process", "id": str(os.getpid()), "place": socket.gethostname(), "mark": "1"}
    (sweep.folder / "job.json").write_text(json.dumps(job))
    (sweep.folder / "sweep.log").write_text("its last words\n")
    assert detached.standing(sweep) == ("interrupted", "")
    assert list(detached.log(sweep, follow=True)) == ["its last words\n"], "nothing to wait for"


def test_a_cluster_that_is_away_is_told_and_the_sweep_still_listed(tmp_path: Path) -> None:
    sweep = prepared(tmp_path)
    place = "http://127.0.0.1:9"
    (tmp_path / "token").write_text("x" * 64)
    (tmp_path / "token").chmod(0o600)
    job = {"kind": "ray", "id": "small-1", "place": place, "token_file": str(tmp_path / "token")}
    (sweep.folder / "job.json").write_text(json.dumps(job))
    status, where = detached.standing(sweep)
    assert status == "interrupted" and place in where and "refused" in where
    done = tuner("stop", "small", cwd=tmp_path)
    assert done.returncode == 2 and "cluster/job-server" in done.stderr


def test_signals_reach_what_runs_in_the_foreground_too(tmp_path: Path) -> None:
    """`tuner stop` needs no `--detach`: whoever holds the lock is asked."""
    sweep = prepared(tmp_path)
    caught: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: caught.append(number))
    try:
        with lock.held(sweep.folder, "small"), pytest.MonkeyPatch.context() as patch:
            patch.setattr(detached, "_STOP_SECONDS", 0.0)
            assert "was asked to stop" in detached.stop(sweep)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught == [signal.SIGTERM]
