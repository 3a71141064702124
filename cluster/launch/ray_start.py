"""The command lines that make a machine a node of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cluster.health import HEAD_ENVIRONMENT
from cluster.spec import PORT

JOB_SERVER_PORT = 8265
_OBJECT_STORE_BYTES = 256 * 2**20
_RAY = ("-m", "ray.scripts.scripts", "start")


def head(
    python: str,
    address: str,
    *,
    port: int = PORT,
    jobs: int | None = JOB_SERVER_PORT,
    cpus: int | None = None,
    gpus: int | None = None,
    temporary: Path | None = None,
) -> list[str]:
    """Starts a head in the foreground: it ends with its process.

    Args:
        python: interpreter with rnn-tuner in its environment.
        address: under which the other nodes reach it.
        port: of the head.
        jobs: port of the job server, on loopback; None for none, as where nobody submits.
        cpus: that trials may take; all if None.
        gpus: likewise.
        temporary: Ray's folder of sockets and logs; its own default if None.
    """
    health = [f"{name}={value}" for name, value in HEAD_ENVIRONMENT.items()]
    line = ["env", *health, python, *_RAY]
    line += ["--head", "--block", f"--node-ip-address={address}", f"--port={port}"]
    if jobs is None:
        line += ["--include-dashboard=false"]
    else:
        line += ["--dashboard-host=127.0.0.1", f"--dashboard-port={jobs}"]
    return [*line, *_common(cpus, gpus), *([f"--temp-dir={temporary}"] if temporary else [])]


def worker(
    python: str,
    head: str,
    address: str | None = None,
    *,
    cpus: int | None = None,
    gpus: int | None = None,
) -> list[str]:
    """Joins a head, `host:port`, in the foreground."""
    line = [python, *_RAY, "--block", f"--address={head}"]
    return [*line, *([f"--node-ip-address={address}"] if address else []), *_common(cpus, gpus)]


def _common(cpus: int | None, gpus: int | None) -> Sequence[str]:
    counts = {"--num-cpus": cpus, "--num-gpus": gpus}
    return [
        *(f"{flag}={number}" for flag, number in counts.items() if number is not None),
        f"--object-store-memory={_OBJECT_STORE_BYTES}",
        "--disable-usage-stats",
    ]
