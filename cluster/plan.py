"""Arithmetic only: nodes and a trial's resources → lanes, or a refusal of what can never fit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from cluster.refused import Refused


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one trial takes while it trains."""

    workers: int = 1
    fewest: int | None = None
    """Workers that a trial can do with where there is no room for all; None: it needs all."""
    cpus_per_worker: float = 1
    gpus_per_worker: float = 0
    memory_per_worker: float = 0
    """Bytes; 0 where nobody has measured them, or they are no matter."""

    def bundles(self) -> list[dict[str, float]]:
        """One placement bundle per rank, the first one for the trial's own process."""
        one = {"CPU": self.cpus_per_worker}
        if self.gpus_per_worker:
            one["GPU"] = self.gpus_per_worker
        if self.memory_per_worker:
            one["memory"] = math.ceil(self.memory_per_worker)
        return [dict(one) for _ in range(self.workers)]


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """What one node has."""

    cpus: float
    gpus: float = 0
    memory: float = math.inf
    """Bytes that processes may fill."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many trials train side by side."""

    lanes: int
    resources: Resources
    nodes: tuple[Capacity, ...]

    def __str__(self) -> str:
        r = self.resources
        lanes = f"{self.lanes} {'lane' if self.lanes == 1 else 'lanes'}"
        workers = f"{r.workers} {'worker' if r.workers == 1 else 'workers'}"
        parts = [f"{r.cpus_per_worker:g} CPU"]
        if r.gpus_per_worker:
            parts.append(f"{r.gpus_per_worker:.3g} GPU")
        if r.memory_per_worker:
            parts.append(f"{r.memory_per_worker / 2**30:.1f} GiB")
        return f"{lanes} of {workers}, {' and '.join(parts)} each"


def plan(nodes: tuple[Capacity, ...], resources: Resources) -> Plan:
    """Lanes that fit on the nodes at once. Ranks of one lane may lie on several nodes.

    Raises:
        Refused: not even one lane fits.
    """
    slots = sum(_slots(node, resources) for node in nodes)
    workers = min(slots, resources.workers)
    fewest = resources.fewest or resources.workers
    if workers >= fewest:
        fitting = replace(resources, workers=workers)
        return Plan(lanes=slots // workers, resources=fitting, nodes=nodes)
    cpus = max((node.cpus for node in nodes), default=0)
    gpus = max((node.gpus for node in nodes), default=0)
    have = f"the largest node has {cpus:g} CPUs and {gpus:g} GPUs"
    roomy = max((node.memory for node in nodes), default=0)
    if resources.memory_per_worker > roomy:
        raise Refused(
            "one worker must fit into the memory of one node",
            f"{resources.memory_per_worker / 2**30:.1f} GiB, as measured, where the largest has "
            f"{roomy / 2**30:.1f} GiB",
            "Lower the largest sizes of the space, or `training/batch_size`.",
            code="plan/memory",
        )
    if resources.gpus_per_worker and not any(node.gpus for node in nodes):
        raise Refused(
            "`resources/gpus_per_worker` must be available",
            f"{resources.gpus_per_worker:g} where no node has a GPU",
            "Set it to 0 to train on CPUs, or name a cluster with GPUs.",
        )
    if slots:
        raise Refused(
            "`resources/workers` must fit on the nodes at once",
            f"{fewest} where {slots} fit",
            f"Set it to {slots} or less.",
        )
    raise Refused(
        "one worker must fit on one node",
        f"{resources.cpus_per_worker:g} CPUs and {resources.gpus_per_worker:g} GPUs where {have}",
        "Lower `resources/cpus_per_worker` or `resources/gpus_per_worker`.",
    )


def _slots(node: Capacity, resources: Resources) -> int:
    by_cpu = math.floor(node.cpus / resources.cpus_per_worker + 1e-9)
    if resources.memory_per_worker and node.memory != math.inf:
        by_cpu = min(by_cpu, int(node.memory // resources.memory_per_worker))
    if not resources.gpus_per_worker:
        return by_cpu
    if resources.gpus_per_worker >= 1:
        by_gpu = math.floor(node.gpus / resources.gpus_per_worker + 1e-9)
    else:
        # A share of a GPU never straddles two of them; what is left of some counts as one.
        whole, rest = divmod(node.gpus + 1e-9, 1)
        shares = math.floor(1 / resources.gpus_per_worker + 1e-9)
        by_gpu = int(whole) * shares + math.floor(rest / resources.gpus_per_worker + 1e-6)
    return min(by_cpu, by_gpu)
