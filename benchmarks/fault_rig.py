"""What a sweep is disturbed with: commands whose processes can be told, and looks at what is left.

See `fault_cases.py`.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# The root first: `tests/tuner` must not be taken for the package.
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "cluster")]

import audit  # noqa: E402
import made  # noqa: E402
from command import ENVIRONMENT, write_spec  # noqa: E402

from tuner.tracking.uri import local_uri  # noqa: E402

TRIALS = 8
LIMIT_SECONDS = 400.0


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one disturbance."""

    survived: bool
    note: str
    lost: int = 0
    doubled: int = 0
    running: int = 0
    left_behind: int = 0


class Machine:
    """Commands in a folder, all of whose processes can be told from others."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder, self.mark = folder, secrets.token_hex(8)
        self.environment = (
            ENVIRONMENT | {"PYTHONPATH": str(ROOT), audit.MARK: self.mark} | environment
        )
        made.sequences_csv(folder / "rows.csv", num=150)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Starts a command; what it says is added to `said.txt`."""
        with (self.folder / "said.txt").open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "tuner", *arguments],
                cwd=self.folder,
                env=self.environment,
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def run(self, *arguments: str) -> int:
        """Runs a command to its end."""
        return ended(self.start(*arguments))

    def go_on(self) -> int:
        """Resumes the sweep, or starts it if it was not made yet."""
        is_made = (self.sweep() / "spec.json").exists()
        return self.run(*(["resume", "small"] if is_made else ["sweep", "small.yaml"]))

    @property
    def said(self) -> str:
        """By all commands so far."""
        path = self.folder / "said.txt"
        return path.read_text(errors="replace") if path.exists() else ""

    def sweep(self, name: str = "small") -> Path:
        """Folder of a sweep."""
        return self.folder / "sweeps" / name

    def curve(self) -> int:
        """Epochs of trial 0 that are on record."""
        path = self.sweep() / "trials" / "0000" / "curve.csv"
        return path.read_text().count("\n") - 1 if path.exists() else 0

    def states(self, name: str = "small") -> dict[int, str]:
        """Trial → state."""
        done = subprocess.run(
            [sys.executable, "-m", "tuner", "leaderboard", name, "--format", "json"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return {t["trial"]: t["state"] for t in json.loads(done.stdout)["trials"]}

    def result(self, survived: bool, note: str, names: tuple[str, ...] = ("small",)) -> Result:
        """Looks the finished sweeps over."""
        uri = self.environment.get("MLFLOW_DATABASE") or local_uri(self.folder / "sweeps")
        found = [audit.of(self.sweep(name), uri) for name in names if self.sweep(name).exists()]
        return Result(
            survived=survived,
            note=note if survived else f"{note}; {self.said[-600:]}",
            lost=sum(each.lost for each in found),
            doubled=sum(each.doubled for each in found),
            running=sum(each.running for each in found),
            left_behind=len(audit.processes(self.mark)),
        )


def ended(process: subprocess.Popen[bytes], seconds: float = LIMIT_SECONDS) -> int:
    """A process's exit status; one that does not end is killed."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return -1


def until(holds: Callable[[], Any], process: subprocess.Popen[bytes], seconds: float = 120) -> bool:
    """Waits for something while a process runs; gives whether it came."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.05)
    return False


def small(folder: Path, **changes: Any) -> None:
    """Trials of some seconds, none stopped early."""
    override = {"model/hidden_size": [4, 8, 12], "model/layers": 1, "training/epochs": 60}
    search = {"trials": TRIALS, "seed": 3, "scheduler": "none"}
    write_spec(folder / "small.yaml", **{"override": override, "search": search} | changes)


def whole(states: dict[int, str]) -> bool:
    """Whether all trials of `small` have ended well."""
    return len(states) == TRIALS and set(states.values()) == {"COMPLETE"}


@contextmanager
def server(folder: Path, port: int, database: str) -> Iterator[None]:
    """An MLflow server; its processes are killed when the enclosed is over."""
    line = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    line += ["--backend-store-uri", database, "--workers", "1"]
    line += ["--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")]
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen(
            line, env=ENVIRONMENT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 120
        while not _answers(f"http://127.0.0.1:{port}/version"):
            assert time.monotonic() < deadline, (folder / "server.log").read_text()[-2000:]
            time.sleep(0.5)
        yield
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=2).close()
    except OSError:
        return False
    return True


def ray_of(logs: Path) -> list[int]:
    """Every process of the Ray that keeps its files in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            told = (path / "cmdline").read_bytes() + (path / "environ").read_bytes()
        except OSError:
            continue
        if str(logs).encode() in told and int(path.name) != os.getpid():
            found.append(int(path.name))
    return found


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
