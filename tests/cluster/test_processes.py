"""Processes below one."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from cluster.processes import below

NESTED = """
import os, subprocess, sys, time
from cluster.processes import end_at_once
sleep = "import time; time.sleep(60)"
child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {sleep!r}])"
subprocess.Popen([sys.executable, "-c", child])
sys.stdin.readline()
end_at_once(7)
"""


def test_all_below_end_with_it() -> None:
    process = subprocess.Popen([sys.executable, "-c", NESTED], stdin=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while len(found := below(process.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(found) == 2 and found[0] in below(os.getpid())
    process.communicate(b"\n", timeout=60)
    assert process.returncode == 7
    while any(map(_runs, found)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_runs, found))


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
