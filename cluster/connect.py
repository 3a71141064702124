"""Start or join Ray, with tokens always on, and leave nothing behind."""

from __future__ import annotations

import math
import os
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from cluster.join import join, probe
from cluster.nodes import check_nodes
from cluster.plan import Capacity
from cluster.processes import end_at_once
from cluster.refused import Refused
from cluster.spec import ClusterSpec, Embedded
from cluster.token import use_token

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Otherwise Ray warns at every start of a change that does not concern us.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    # Tune's own files of every result: ours are the outbox and the study.
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    # Tune's state of the experiment, which is never read again: 5 % of its time otherwise.
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    # The first SIGINT is ours to handle, like SIGTERM.
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
_OBJECT_STORE_BYTES = 256 * 2**20
"""Data is memory-mapped from files, so the object store carries reports only."""
_HERE = Embedded()


def local_capacity() -> tuple[Capacity, ...]:
    """This machine as the only node: the CPUs this process may use, and its GPUs."""
    return (Capacity(cpus=len(os.sched_getaffinity(0)), gpus=_num_gpus()),)


def set_environment(spec: ClusterSpec) -> None:
    """Sets what Ray reads when it is imported: quiet, and with the cluster's token, or for a Ray of
    our own with one that nobody else knows.

    Raises:
        Refused: the token's file cannot be used.
    """
    os.environ.update({k: v for k, v in _QUIET.items() if k not in os.environ})
    if spec.entry is None:
        # A local Ray is reachable by every user of the machine.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    else:
        use_token(spec.token)


class Connection:
    """A Ray that this process is part of."""

    def nodes(self) -> tuple[Capacity, ...]:
        """What its nodes have."""
        import ray

        return tuple(_capacity(n["Resources"]) for n in ray.nodes() if n["Alive"])

    def free(self) -> tuple[Capacity, ...]:
        """What nobody on its nodes has taken."""
        from ray._private.state import available_resources_per_node

        # What is used up is left out.
        return tuple(_capacity(free, memory=0) for free in available_resources_per_node().values())

    def refusals(self, folder: Path, objects: str | None = None) -> list[Refused]:
        """Why a sweep in this folder cannot run on all its nodes; empty if it can.

        Args:
            objects: URI of an object store, which all nodes need to see in the folder's stead.
        """
        import ray

        alive = {n["NodeID"]: n["NodeManagerAddress"] for n in ray.nodes() if n["Alive"]}
        return check_nodes(objects or folder, alive)


@contextmanager
def connected(spec: ClusterSpec = _HERE) -> Iterator[Connection]:
    """Ray, started here or joined; one that this process is part of already is left as it is.

    Raises:
        Refused: a Ray that cannot be joined, or does not start.
    """
    set_environment(spec)
    if spec.entry is not None:
        # Before the seconds that Ray's import takes.
        probe(spec)
    import ray

    (node,) = local_capacity()
    started_here = not ray.is_initialized()
    try:
        if started_here:
            with _whole():
                if spec.entry is None:
                    _start(int(node.cpus))
                else:
                    join(spec)
        yield Connection()
    finally:
        if started_here:
            ray.shutdown()


@contextmanager
def _whole() -> Iterator[None]:
    """Keeps the first SIGINT or SIGTERM until Ray has started, which then can be shut down: what is
    raised in its midst leaves processes behind, or ends this one in a crash. A second one ends this
    process at once, and with it those of Ray that it has started.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    from ray._private import utils

    kept: list[int] = []

    def keep(number: int, frame: FrameType | None) -> None:
        if kept:
            # Those of Ray that have just begun would not notice.
            end_at_once(128 + number)
        kept.append(number)

    before = {number: signal.signal(number, keep) for number in (signal.SIGINT, signal.SIGTERM)}
    # Ray would put a handler of its own in the place of ours.
    set_handler, utils.set_sigterm_handler = utils.set_sigterm_handler, lambda handler: None
    try:
        yield
    finally:
        utils.set_sigterm_handler = set_handler
        for number, handler in before.items():
            signal.signal(number, handler)
        if kept:
            signal.raise_signal(kept[0])


def _start(cpus: int) -> None:
    """Ray on this machine alone."""
    import ray

    try:
        ray.init(
            address="local",
            num_cpus=cpus,
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except Exception as failed:  # Ray has no class of its own for a start that comes to nothing
        raise Refused(
            "Ray must start on this machine",
            " ".join(str(failed).split())[:300] or type(failed).__name__,
            "Where the machine is busy, try again; `tuner doctor` looks for what is amiss, and "
            "Ray's own logs lie in `session_latest/logs` of its temporary folder.",
            code="cluster/start",
            where="this machine",
        ) from failed


def _capacity(resources: dict[str, float], memory: float = math.inf) -> Capacity:
    return Capacity(
        cpus=resources.get("CPU", 0),
        gpus=resources.get("GPU", 0),
        memory=resources.get("memory", memory),
    )


def _num_gpus() -> int:
    """NVIDIA devices that this process may use, without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([device for device in visible.split(",") if device.strip() not in ("", "-1")])
    return len([p for p in Path("/dev").glob("nvidia[0-9]*") if p.name[6:].isdigit()])
