"""Start or join Ray, with tokens always on, and leave nothing behind."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.plan import Capacity

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


def local_capacity() -> tuple[Capacity, ...]:
    """This machine as the only node: the CPUs this process may use, and its GPUs."""
    return (Capacity(cpus=len(os.sched_getaffinity(0)), gpus=_num_gpus()),)


def set_environment() -> None:
    """Sets what Ray reads when it is imported: quiet, and with a token that nobody else knows."""
    os.environ.update({k: v for k, v in _QUIET.items() if k not in os.environ})
    if "RAY_ADDRESS" not in os.environ:
        # A local Ray is reachable by every user of the machine.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


@contextmanager
def connected() -> Iterator[tuple[Capacity, ...]]:
    """Ray, started here or joined at RAY_ADDRESS; gives its nodes.

    Raises:
        ConnectionError: RAY_ADDRESS leads nowhere.
    """
    set_environment()
    import ray

    address = os.environ.get("RAY_ADDRESS")
    (node,) = local_capacity()
    started_here = not ray.is_initialized()
    if started_here:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        else:
            ray.init(
                address="local",
                num_cpus=int(node.cpus),
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                log_to_driver=False,
                logging_level="ERROR",
            )
    try:
        yield tuple(
            Capacity(cpus=n["Resources"].get("CPU", 0), gpus=n["Resources"].get("GPU", 0))
            for n in ray.nodes()
            if n["Alive"]
        )
    finally:
        if started_here:
            ray.shutdown()


def _num_gpus() -> int:
    """NVIDIA devices that this process may use, without importing torch."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([device for device in visible.split(",") if device.strip() not in ("", "-1")])
    return len([p for p in Path("/dev").glob("nvidia[0-9]*") if p.name[6:].isdigit()])
