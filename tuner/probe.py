"""How much memory a lane takes, measured where it may decide how many lanes fit.

The largest model of the space takes a few steps in a process like a lane's. Nodes of many CPUs and
little memory hold fewer lanes than CPUs, and a GPU as many as its memory does.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.plan import Capacity, Plan, Resources
from tuner.memory import COPIES

if TYPE_CHECKING:
    from tuner.context import Context

ROOMY_BYTES = 8 * 2**30
"""Of a node's memory for each worker that its CPUs hold: with more nobody need even estimate."""
IDLE_BYTES = 2**29
"""What a lane takes before it has a model."""
_MARGIN = 2
"""Times what weights and moments take: activations come on top. A measure takes some seconds, so it
is made where this estimate says that memory may decide."""
HEADROOM = 1.15
"""Of what a few steps took: later batches are longer, and memory is given back in pieces."""
WAIT_SECONDS = 120.0
_STEPS = 4


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one rank took at its peak, in bytes."""

    cpu: float
    gpu: float = 0.0
    gpu_has: float = 0.0
    """The whole of its device."""

    def needed(self, resources: Resources) -> Resources:
        """What a rank is to be given: this memory, and a share of a GPU that holds it.

        A share is never made smaller: who names one may mean the GPU's time.
        """
        gpus = resources.gpus_per_worker
        if 0 < gpus < 1 and self.gpu:
            fitting = max(1, math.floor(self.gpu_has / (HEADROOM * self.gpu)))
            gpus = max(gpus, 1 / fitting)
        return replace(
            resources, gpus_per_worker=gpus, memory_per_worker=math.ceil(HEADROOM * self.cpu)
        )


def is_wanted(plan: Plan, parameters: Callable[[], int]) -> bool:
    """Whether memory may run out before CPUs, or several lanes share a GPU.

    Args:
        parameters: of the largest model; 0 where nobody knows.
    """
    given = plan.resources
    if 0 < given.gpus_per_worker < 1:
        return True
    share = min((_share(node, given) for node in plan.nodes), default=math.inf)
    if share >= ROOMY_BYTES:
        return False
    estimate = 4 * COPIES * parameters()
    return share < IDLE_BYTES + (_MARGIN * estimate or IDLE_BYTES)


def _share(node: Capacity, resources: Resources) -> float:
    return node.memory / max(1.0, node.cpus / resources.cpus_per_worker)


class NotMeasured(Exception):
    """Why there is no measure; a sweep goes on without."""


def on_cluster(context: Context, values: dict[str, Any]) -> Measured:
    """Measures in a process of its own, on whatever node has room.

    Raises:
        NotMeasured: it failed, or took too long.
    """
    import ray

    given = context.resources
    task = ray.remote(measure).options(
        num_cpus=given.cpus_per_worker, num_gpus=given.gpus_per_worker, max_retries=0
    )
    future = task.remote(context, values)
    try:
        found: Measured = ray.get(future, timeout=WAIT_SECONDS)
    except ray.exceptions.GetTimeoutError:
        ray.cancel(future, force=True)
        raise NotMeasured(f"no answer within {WAIT_SECONDS:g} s") from None
    except ray.exceptions.RayError as failed:
        raise NotMeasured(str(failed).strip().splitlines()[-1]) from None
    return found


def measure(context: Context, values: dict[str, Any]) -> Measured:
    """Takes a few steps as the only rank of a lane; to be called in a process of its own."""
    import torch

    from tuner.lane import device
    from tuner.training.rank import Rank

    place = device()
    rank = Rank(place, max(1, int(context.resources.cpus_per_worker)))
    with tempfile.TemporaryDirectory(prefix="tuner-probe-") as scratch:
        job = replace(context.job(0, values), folder=str(Path(scratch) / "trial"))
        rank.start(job)
        rank.warm(_STEPS)
        rank.leave()
    if not place.startswith("cuda"):
        return Measured(cpu=_peak_bytes())
    return Measured(
        cpu=_peak_bytes(),
        gpu=float(torch.cuda.max_memory_reserved()),
        gpu_has=float(torch.cuda.mem_get_info()[1]),
    )


def _peak_bytes() -> float:
    """The most that this process has held for itself: files that it maps are everybody's."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    kib = {name: float(fields[name].split()[0]) for name in ("VmHWM", "RssFile", "RssShmem")}
    return 1024 * max(0.0, kib["VmHWM"] - kib["RssFile"] - kib["RssShmem"])
