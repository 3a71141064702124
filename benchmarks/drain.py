"""Ratio 5: metrics per second drained from an outbox into SQLite, and into an MLflow server.

    python benchmarks/drain.py [--runs 100] [--steps 100] [--served 12] [--repeats 5]

1. R runs of S steps of three metrics lie in an outbox, in the order in which four lanes tell them:
   until all is in SQLite, opening the experiment included.
2. Fewer such runs into `mlflow server` over SQLite, against MLflow's own queue, which buffers for a
   second, its least.
3. The same against batches made by hand: all points of a run, a full call after another.
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import measure

METRICS = ("loss", "accuracy", "rate")
LANES = 4
FULL = 1000
"""Metrics in a call, at most."""
_NUMBERS = itertools.count()


def told(runs: int, steps: int) -> Iterator[tuple[str, int, dict[str, float]]]:
    """What training tells: key, step and values, runs of one group side by side."""
    for first in range(0, runs, LANES):
        keys = [f"trial-{number:04d}" for number in range(first, min(first + LANES, runs))]
        for step, key in itertools.product(range(steps), keys):
            yield key, step, {name: (step + i) / 7 for i, name in enumerate(METRICS)}


def drain(uri: str, folder: Path, runs: int, steps: int) -> measure.Run:
    """An outbox that is full, into a database or a server: seconds per metric."""
    from tuner.tracking.tracker import Tracker

    experiment, sweep = _name(), folder / _name()
    tracker = Tracker(None, experiment, sweep)
    for number in range(runs):
        tracker.run(f"trial-{number:04d}", f"trial-{number:04d}", None, {}, {})
    for key, step, values in told(runs, steps):
        tracker.metrics(key, step, values)
    tracker.close(0)
    tracker = Tracker(uri, experiment, sweep)
    begin = time.perf_counter()
    tracker.start()
    assert tracker.close(600), tracker.problem
    return _run(time.perf_counter() - begin, uri, experiment, runs, steps)


def queue(uri: str, runs: int, steps: int) -> measure.Run:
    """MLflow's own queue, which sends what follows in a row for one run in one call."""
    from mlflow import MlflowClient

    def send(client: MlflowClient, ids: dict[str, str]) -> None:
        waiting = [
            client.log_batch(ids[key], _metrics(step, values), synchronous=False)
            for key, step, values in told(runs, steps)
        ]
        for operation in waiting:
            operation.wait()

    return stock(send, uri, runs, steps)


def full(uri: str, runs: int, steps: int) -> measure.Run:
    """One call after another, each as full as MLflow takes it."""
    from mlflow import MlflowClient

    def send(client: MlflowClient, ids: dict[str, str]) -> None:
        of: dict[str, list[Any]] = {key: [] for key in ids}
        for key, step, values in told(runs, steps):
            of[key] += _metrics(step, values)
        for key, metrics in of.items():
            for start in range(0, len(metrics), FULL):
                client.log_batch(ids[key], metrics[start : start + FULL])

    return stock(send, uri, runs, steps)


def stock(
    send: Callable[[Any, dict[str, str]], None], uri: str, runs: int, steps: int
) -> measure.Run:
    """Runs made by MLflow's client and filled by `send`: seconds per metric."""
    from mlflow import MlflowClient

    experiment, client = _name(), MlflowClient(uri)
    begin = time.perf_counter()
    experiment_id = client.create_experiment(experiment)
    keys = [f"trial-{number:04d}" for number in range(runs)]
    send(client, {key: client.create_run(experiment_id, run_name=key).info.run_id for key in keys})
    return _run(time.perf_counter() - begin, uri, experiment, runs, steps)


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """`mlflow server` as it comes, with a database of its own, until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    line = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    line += ["--backend-store-uri", f"sqlite:///{folder}/server.db"]
    line += ["--default-artifact-root", str(folder / "artifacts")]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with open(folder / "server.log", "wb") as log:
        process = subprocess.Popen(line, env=os.environ | quiet, stdout=log, stderr=log)
    try:
        uri = f"http://127.0.0.1:{port}"
        _await(f"{uri}/health", process, folder / "server.log")
        yield uri
    finally:
        process.terminate()
        process.wait(30)


def lines(options: Any, folder: Path) -> list[measure.Line]:
    """All of it."""
    runs, steps, served, repeats = options.runs, options.steps, options.served, options.repeats
    uri = f"sqlite:///{folder}/mlflow.db"
    drain(uri, folder, 2, 2)
    kept = [drain(uri, folder, runs, steps) for _ in range(repeats)]
    assert all(run.quality == runs * steps * len(METRICS) for run in kept), kept
    rates = [1 / run.cost for run in kept]
    found = [
        measure.figure("metrics per second into SQLite", rates, unit="/s", aim="≥ 20000"),
    ]
    with server(folder) as uri:
        drain(uri, folder, 2, 2)
        for what, base, aim in (
            ("MLflow's own queue", queue, "≥ 2"),
            ("full batches made by hand", full, "≥ 1"),
        ):
            arms = measure.interleave(
                lambda uri=uri: drain(uri, folder, served, steps),
                lambda uri=uri, base=base: base(uri, served, steps),
                repeats,
            )
            found.append(
                measure.ratio(
                    f"metrics per second into a server ÷ those of {what}",
                    arms,
                    aim=aim,
                    names=("ours", what),
                    tolerance=0,
                    inverse=True,
                )
            )
    return found


def main() -> None:
    """Measures and prints."""
    options = measure.options(
        __doc__, runs=(100, 40), steps=(100, 100), served=(12, 8), repeats=(5, 5)
    )
    os.environ["MLFLOW_ASYNC_LOGGING_BUFFERING_SECONDS"] = "1"
    with tempfile.TemporaryDirectory() as scratch:
        found = lines(options, Path(scratch))
    measure.write("drain", found, options)


def _name() -> str:
    return f"drain-{next(_NUMBERS)}"


def _metrics(step: int, values: dict[str, float]) -> list[Any]:
    from mlflow.entities import Metric

    return [Metric(name, value, 1_700_000_000_000 + step, step) for name, value in values.items()]


def _run(seconds: float, uri: str, experiment: str, runs: int, steps: int) -> measure.Run:
    """Seconds per metric, and how many the backend has."""
    from tuner.tracking.client import connect

    client = connect(uri)
    kept = client.get_experiment_by_name(experiment)
    assert kept is not None
    ids = [run.info.run_id for run in client.search_runs([kept.experiment_id])]
    assert len(ids) == runs, f"{len(ids)} runs"
    num = sum(len(client.get_metric_history(run, name)) for run in ids for name in METRICS)
    return measure.Run(seconds / (runs * steps * len(METRICS)), num)


def _await(uri: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            with urllib.request.urlopen(uri, timeout=1):
                return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.1)
    raise TimeoutError(uri)


if __name__ == "__main__":
    main()
