"""Whether the largest models of a space fit into memory: an estimate, before anything starts."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cluster.plan import Plan
from tuner import registry
from tuner.errors import Mistake
from tuner.models.build import shared
from tuner.models.shape import SettingsRefused

if TYPE_CHECKING:
    from tuner.config import TrialConfig
    from tuner.data.card import DataCard
    from tuner.spec import SweepSpec
    from tuner.tasks._base import Task

COPIES = 4
"""Of each weight in training, at the least: itself, its gradient, and two moments of Adam's."""


def too_large(spec: SweepSpec, card: DataCard, plan: Plan) -> Mistake | None:
    """Says if some model's weights and what training keeps of them exceed this machine's memory.

    A model that cannot be built at all is said as well. Activations are left out: they follow the
    batch, and a lane makes its pieces smaller.
    """
    try:
        path, values, parameters = largest(spec, card)
    except SettingsRefused as refused:
        return Mistake(
            code="model/settings",
            rule=refused.rule,
            where="a corner of the space",
            got=refused.got,
            fix=refused.fix,
        )
    needed = 4 * COPIES * parameters
    ranks = plan.resources.workers
    if plan.resources.gpus_per_worker:
        memory = _gpu_bytes() * min(1.0, plan.resources.gpus_per_worker)
    else:
        memory = _cpu_bytes() / (plan.lanes * ranks)
    if needed <= memory:
        return None
    return Mistake(
        code="plan/memory",
        rule=f"a model must fit into the {_gib(memory)} of memory that each rank has",
        where=f"the space, `{path}` = {values.get(path)}",
        got=f"{parameters:,} parameters, at least {_gib(needed)} with gradients and moments",
        fix="Lower its upper end, or give each trial more of the machine in `resources`.",
    )


def largest(spec: SweepSpec, card: DataCard) -> tuple[str, dict[str, Any], int]:
    """Of the space's corners the one with the most parameters, and the path that makes it so."""
    from tuner.config import TrialConfig, make_task

    found: tuple[str, dict[str, Any], int] = ("", {}, 0)
    seen = set()
    for values, path in spec.space.corners():
        shape = tuple((p, v) for p, v in values.items() if p.startswith(("model/", "data/")))
        if shape in seen:
            continue
        seen.add(shape)
        config = TrialConfig.from_values(values, spec.task)
        parameters = num_parameters(config, make_task(spec.task, config, card, None))
        if parameters > found[2]:
            found = path, values, parameters
    return found


def num_parameters(config: TrialConfig, task: Task) -> int:
    """By the architecture's own formula; 0 for a model of one's own, which has none.

    Raises:
        SettingsRefused: no network of the task has these settings.
    """
    module = registry.get("architectures", config.model.name)
    if not hasattr(module, "num_parameters"):
        return 0
    shapes = task.shapes()
    model = shared(config.model, len(shapes))
    parameters: int = sum(module.num_parameters(model, shape) for shape in shapes)
    return parameters


def _cpu_bytes() -> float:
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def _gpu_bytes() -> float:
    import torch

    devices = range(torch.cuda.device_count())
    return min((float(torch.cuda.mem_get_info(d)[1]) for d in devices), default=float("inf"))


def _gib(number: float) -> str:
    return f"{number / 2**30:.1f} GiB"
