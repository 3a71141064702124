"""The nodes that a sweep runs on: joined, looked over before anything is made, and counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cluster.connect import Connection, connected, local_capacity
from cluster.plan import Capacity, Plan, Resources, plan
from cluster.refused import Refused
from cluster.spec import ClusterSpec
from cluster.storage import ObjectStore
from tuner import cluster_file
from tuner.errors import ClusterError, PlanError
from tuner.spec import SweepSpec


@contextmanager
def connection(cluster: ClusterSpec) -> Iterator[Connection]:
    """Ray, started here or joined.

    Raises:
        ClusterError: it cannot be joined.
    """
    with ExitStack() as stack:
        try:
            joined = stack.enter_context(connected(cluster))
        except Refused as refused:
            raise ClusterError(cluster_file.told(refused)) from None
        yield joined


@contextmanager
def looked_over(
    spec: SweepSpec, cluster: ClusterSpec, folder: Path, objects: str | None = None
) -> Iterator[Plan]:
    """A cluster on which a sweep in this folder can run; this machine needs no look.

    Args:
        objects: URI of an object store, which nodes then need to see in the folder's stead.

    Raises:
        ClusterError: it cannot be joined, or its nodes do not fit together.
        PlanError: not even one lane fits on it.
    """
    if cluster.entry is None:
        yield planned(spec)
        return
    if objects is not None:
        # In seconds, before those that Ray takes.
        _refuse_store(objects)
    with connection(cluster) as joined:
        lanes = planned(spec, joined.nodes())
        if refusals := joined.refusals(folder, objects):
            raise ClusterError([cluster_file.told(refused) for refused in refusals])
        yield lanes


def _refuse_store(uri: str) -> None:
    try:
        ObjectStore(uri).check()
    except Refused as refused:
        raise ClusterError(cluster_file.told(refused)) from None


def planned(spec: SweepSpec, nodes: tuple[Capacity, ...] | None = None) -> Plan:
    """The lanes of a sweep, on this machine unless nodes are named.

    Raises:
        PlanError: not even one lane fits.
    """
    return fitting(nodes or local_capacity(), resources(spec))


def fitting(nodes: tuple[Capacity, ...], wanted: Resources) -> Plan:
    """The lanes of trials that take this.

    Raises:
        PlanError: not even one fits.
    """
    try:
        return plan(nodes, wanted)
    except Refused as refused:
        raise PlanError(cluster_file.told(refused)) from None


def resources(spec: SweepSpec) -> Resources:
    """What one trial takes, in the cluster's terms."""
    given = spec.resources
    return Resources(
        workers=given.most,
        fewest=given.fewest,
        cpus_per_worker=given.cpus_per_worker,
        gpus_per_worker=given.gpus_per_worker,
    )
