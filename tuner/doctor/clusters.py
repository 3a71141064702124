"""A cluster: its token, its storage, its hosts or servers, and whether all run what we run."""

from __future__ import annotations

import json
import platform
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path

from cluster.connect import connected
from cluster.jobs import ray as ray_jobs
from cluster.jobs import slurm
from cluster.launch import ssh
from cluster.refused import Refused
from cluster.spec import ClusterSpec, Embedded, ExistingRay, SlurmJob, SshHosts
from cluster.storage import ObjectStore
from cluster.token import place_of, read_token
from tuner.cluster_file import told
from tuner.doctor import places
from tuner.doctor.finding import Finding, Patient
from tuner.errors import Mistake
from tuner.home import Home

_LOOK = """
import json, os, platform
from importlib.metadata import version
from pathlib import Path
marker = Path({marker!r})
print(json.dumps({{
    "python": platform.python_version(), "ray": version("ray"), "torch": version("torch"),
    "rnn-tuner": __import__("tuner").__version__, "marker": marker.exists(),
    "cpus": len(os.sched_getaffinity(0)),
}}))
"""


def examine(cluster: ClusterSpec) -> Iterator[Finding]:
    """Findings on a cluster, one by one."""
    if not isinstance(cluster, Embedded):
        yield _asked("token", lambda: _token(cluster.token))
    if cluster.objects is not None:
        uri = cluster.objects
        yield _asked("storage", lambda: _store(uri))
    elif cluster.home is not None:
        yield places.storage(Patient(home=Home(cluster.home)))
    elif isinstance(cluster, SshHosts | SlurmJob) and _num_nodes(cluster) > 1:
        yield Finding(check="storage", found="none is named", mistake=_no_storage(cluster))
    match cluster:
        case SshHosts():
            yield from _hosts(cluster)
            yield _asked("job server", lambda: _jobs(cluster))
        case ExistingRay():
            yield _asked("job server", lambda: _jobs(cluster))
            yield from _nodes(cluster)
        case SlurmJob():
            yield _asked("slurm", lambda: f"{slurm.version()}, {slurm.partition(cluster)}")


def _nodes(cluster: ExistingRay) -> Iterator[Finding]:
    """What a sweep that joins it will find; from outside a cluster only `--detach` reaches it."""
    folder = Home(None, cluster).path
    try:
        with connected(cluster) as connection:
            nodes = connection.nodes()
            wrong = connection.refusals(folder, cluster.objects)
    except Refused as refused:
        yield Finding(
            check="nodes",
            found=refused.got,
            mistake=told(refused),
            grave=refused.code != "cluster/not-a-node",
        )
        return
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    found = f"{len(nodes)} with {cpus:g} CPUs and {gpus:g} GPUs"
    yield Finding(check="nodes", found=found)
    for other in wrong:
        yield Finding(check="nodes", found=other.where, mistake=told(other))


def _hosts(cluster: SshHosts) -> Iterator[Finding]:
    """Each host: reached, with our versions, and with the storage that we see."""
    ours = {"python": platform.python_version(), "ray": version("ray"), "torch": version("torch")}
    marker = (cluster.home or Path("/nowhere")) / f".tuner-{secrets.token_hex(8)}"
    if cluster.home is not None and cluster.home.is_dir():
        marker.touch()
    try:
        for host in cluster.hosts:
            yield _asked(f"host {host}", partial(_host, cluster, host, ours, marker))
    finally:
        marker.unlink(missing_ok=True)


def _host(cluster: SshHosts, host: str, ours: dict[str, str], marker: Path) -> str:
    there = json.loads(ssh.look(cluster, host, _LOOK.format(marker=str(marker))))
    wrong = [
        f"{name} {there[name]} where we have {ours[name]}"
        for name in ours
        if there[name] != ours[name]
    ]
    if wrong:
        raise Refused(
            "all hosts must have the versions that we have",
            "; ".join(wrong),
            f"Install the same ones there, in the environment of {cluster.python}.",
            code="cluster/versions",
            where=host,
        )
    if marker.exists() and not there["marker"]:
        raise Refused(
            "the storage must be the same folder on all hosts",
            f"a {cluster.home} of its own",
            "Mount the shared disk there under the same path.",
            code="cluster/storage",
            where=host,
        )
    return f"{there['cpus']} CPUs, Python {there['python']}, torch {there['torch']}"


def _token(path: Path | None) -> str:
    read_token(path)
    return f"{place_of(path)}, its owner's only"


def _store(uri: str) -> str:
    store = ObjectStore(uri)
    store.check()
    return f"{store.uri.partition('?')[0]}: written, read, deleted"


def _jobs(cluster: ExistingRay | SshHosts) -> str:
    server = ray_jobs.job_server(cluster)
    found = ray_jobs.version(server)
    if found != version("ray"):
        raise Refused(
            "the cluster must run the Ray that we run",
            f"Ray {found} where we have {version('ray')}",
            "Install the same one on both sides.",
            code="cluster/versions",
            where=server.place,
        )
    return f"Ray {found} at {server.place}"


def _asked(check: str, ask: Callable[[], str]) -> Finding:
    try:
        return Finding(check=check, found=ask())
    except Refused as refused:
        return Finding(check=check, found=refused.got, mistake=told(refused))


def _num_nodes(cluster: SshHosts | SlurmJob) -> int:
    return len(cluster.hosts) if isinstance(cluster, SshHosts) else cluster.nodes


def _no_storage(cluster: SshHosts | SlurmJob) -> Mistake:
    return Mistake(
        code="cluster/no-storage",
        rule="several nodes must have a storage that all of them see",
        where="the cluster file",
        got=f"{_num_nodes(cluster)} nodes and no `storage`",
        fix="Name a folder on a shared disk: `storage: /shared/sweeps`.",
    )
