"""A real Ray head with its job server, on loopback, with a token; ended by its processes' ids."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from cluster.launch import ray_start
from cluster.processes import below
from cluster.token import make_token

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Head:
    """A cluster of one node."""

    file: Path
    """Its cluster file."""
    token_file: Path
    server: str
    """Address of its job server."""
    logs: Path
    """What Ray writes."""


def job_server_missing() -> str | None:
    """Why no job server can be started here."""
    absent = [n for n in ("aiohttp_cors", "opencensus") if importlib.util.find_spec(n) is None]
    return f"needs rnn-tuner[cluster]: {', '.join(absent)} absent" if absent else None


def free_ports(number: int) -> list[int]:
    """TCP ports that are free now."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@contextmanager
def head(folder: Path, cpus: int = 2) -> Iterator[Head]:
    """Starts a head and gives its cluster file."""
    token_file = folder / "token"
    assert make_token(token_file)
    port, jobs, *others = free_ports(6)
    names = (
        "dashboard-agent-listen",
        "dashboard-agent-grpc",
        "metrics-export",
        "ray-client-server",
    )
    # A path of its own, since those of sockets must be short.
    with tempfile.TemporaryDirectory(prefix="head-") as scratch:
        line = ray_start.head(
            sys.executable, "127.0.0.1", port=port, jobs=jobs, cpus=cpus, temporary=Path(scratch)
        )
        line += [f"--{name}-port={number}" for name, number in zip(names, others, strict=True)]
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "TUNE"))}
        secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token_file)}
        with (folder / "head.log").open("wb") as log:
            process = subprocess.Popen(
                line,
                cwd=folder,
                env=clean | secret | {"PYTHONPATH": str(ROOT)},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_for(jobs, process, folder / "head.log")
            file = folder / "lab.yaml"
            spec = {
                "kind": "ray",
                "address": f"127.0.0.1:{port}",
                "jobs": f"http://127.0.0.1:{jobs}",
                "token_file": str(token_file),
                "python": sys.executable,
            }
            file.write_text(yaml.safe_dump(spec))
            yield Head(file, token_file, spec["jobs"], Path(scratch))
        finally:
            end(process)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until somebody listens on a port."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise AssertionError(f"nobody listens: {log.read_text()[-2000:]}")


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a head and every process below it."""
    children = below(process.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in children:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
