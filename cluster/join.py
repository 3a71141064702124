"""Joins a Ray that runs already, or says within seconds why not.

`ray.init` alone waits for minutes at an address where nobody answers, and its messages do not tell
a wrong token from a wrong address.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.network import interface_of
from cluster.refused import Refused
from cluster.spec import ClusterSpec

ANSWER_SECONDS = 5.0
"""How long a head may take to answer, and then to have a node."""


def join(spec: ClusterSpec) -> None:
    """Connects this process to the Ray at the spec's entry.

    Raises:
        Refused: nobody answers there, or not to this token, Ray or Python; or this machine is no
            node of it.
    """
    address = _address(spec)
    _probe_head(address)
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError) as failed:
        raise _refused(
            "cluster/join",
            "a Ray must let this process join",
            address,
            _line(failed),
            "Install on this machine the Ray and the Python of the cluster.",
        ) from None


def probe(spec: ClusterSpec) -> None:
    """Sees whether anybody listens at the spec's entry, without importing Ray.

    Raises:
        Refused: nobody does.
    """
    if spec.entry not in (None, "auto"):
        _probe_port(str(spec.entry))


def _address(spec: ClusterSpec) -> str:
    """Host and port of the head."""
    entry = spec.entry
    assert entry is not None, "a Ray of one's own is started, not joined"
    if entry != "auto":
        return entry
    from ray._private.services import canonicalize_bootstrap_address_or_die

    try:
        found: str = canonicalize_bootstrap_address_or_die("auto")
    except (ConnectionError, ValueError) as absent:
        raise _refused(
            "cluster/unreachable",
            "`auto` must find a Ray that this machine is part of",
            "this machine",
            _line(absent),
            "Name the head's `host:port`, or run the command on a node of the cluster.",
        ) from None
    return found


def _probe_port(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), ANSWER_SECONDS):
            return
    except OSError as failed:
        got = failed.strerror or str(failed) or type(failed).__name__
        raise _refused(
            "cluster/unreachable",
            "a Ray head must answer at the cluster's address",
            address,
            got,
            "Check the address and that the head runs: `ray status` on it.",
        ) from None


def _probe_head(address: str) -> None:
    """Asks the head for its nodes: `ray.init` tells a wrong token, or a lack of nodes, too late."""
    deadline = time.monotonic() + ANSWER_SECONDS
    # A head answers a moment before its own node has joined it.
    while not (alive := _alive(address)) and time.monotonic() < deadline:
        time.sleep(0.2)
    if not any(interface_of(node) for node in alive):
        raise _refused(
            "cluster/not-a-node",
            "a sweep must be started on a node of its cluster",
            "this machine",
            f"none of {', '.join(sorted(alive)) or 'its nodes, for it has none'}",
            "Log in to one of them, or hand the sweep over by `--detach`.",
        )


def _alive(address: str) -> list[str]:
    """Addresses of a head's nodes."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]  # compiled
    from ray.core.generated.gcs_pb2 import GcsNodeInfo
    from ray.exceptions import AuthenticationError

    try:
        with _silenced():
            nodes = GcsClient(address=address).get_all_node_info(
                timeout=ANSWER_SECONDS, state_filter=GcsNodeInfo.GcsNodeState.ALIVE
            )
    except AuthenticationError:
        raise _refused(
            "cluster/token",
            "the cluster's token must be the one that it was started with",
            address,
            "no token" if os.environ.get("RAY_AUTH_MODE") != "token" else "another one",
            "Name its file as `token_file`.",
        ) from None
    except Exception as failed:  # Ray's client has no base class for what goes wrong
        raise _refused(
            "cluster/unreachable",
            "a Ray head must answer at the cluster's address",
            address,
            _line(failed),
            "Check the address; it is the head's own port, not the dashboard's or the client's.",
        ) from None
    return [node.node_manager_address for node in nodes.values()]


@contextmanager
def _silenced() -> Iterator[None]:
    """Ray's client writes to the process's stderr what its exceptions say again."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _refused(code: str, rule: str, where: str, got: str, fix: str) -> Refused:
    return Refused(rule, got, fix, code=code, where=where)


def _line(error: BaseException) -> str:
    """What went wrong, on one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__
