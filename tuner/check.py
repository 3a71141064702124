"""The dry run: every mistake of a spec and its data at once, or what a sweep would do."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuner import cluster_file, registry, sources
from tuner.errors import PlanError
from tuner.home import Home
from tuner.spec import SweepSpec
from tuner.spec_reader import load

if TYPE_CHECKING:
    from tuner.data.card import DataCard

_PROBED_STEPS = 8


def check(path: Path, *, settings: Sequence[str] = (), cluster: Path | None = None) -> str:
    """Reads a spec and its data, times a few training steps, and tells the plan.

    Nothing is started and nothing stays on the disk; a cluster, if its file is named, is joined and
    looked over.

    Raises:
        InputError: every mistake that can be found.
    """
    where = cluster_file.load(cluster) if cluster else cluster_file.from_environment()
    spec = load(path, settings=settings)
    from tuner.combinations import refused
    from tuner.data.prepare import prepare
    from tuner.memory import too_large
    from tuner.nodes import looked_over

    with looked_over(spec, where, Home(None, where).path, where.objects) as lanes:
        pass
    module = registry.get("tasks", spec.task["name"])
    with tempfile.TemporaryDirectory(prefix="tuner-check-") as scratch:
        data = Path(scratch) / "data"
        card = prepare(
            spec.data, module.data(module.Config(**spec.task)), spec.root, data, spec.search.seed
        )
        # Nobody knows how much memory the nodes of a cluster have.
        if where.entry is None and (mistake := too_large(spec, card, lanes)):
            raise PlanError(mistake)
        sources.keep(spec, Home(), data)
        combined = refused(spec, card)
        seconds = _epoch_seconds(spec, data)
    space, search = spec.space, spec.search
    size = space.size()
    splits = ", ".join(f"{n} {split}" for split, n in card.num_sequences.items() if n)
    folds = f" in {card.num_folds} folds" if card.num_folds else ""
    lines = [
        f"{spec.name}: {spec.task['name']}, by {'highest' if spec.maximize else 'lowest'} "
        f"{spec.metric}",
        f"data       {splits}{folds}; {_inputs(card)}, "
        f"{card.lengths.minimum} to {card.lengths.maximum} steps",
        f"space      {len(space.parameters)} parameters, {_searched(spec)} searched, "
        + (f"{size} configurations" if size is not None else "without end"),
        f"search     {search.sampler}, {search.scheduler}, {search.trials} trials"
        + (f" or {search.hours:g} hours" if search.hours else "")
        + f", seed {search.seed}",
        f"lanes      {lanes}",
        f"time       {_estimate(spec, seconds, lanes.lanes)}",
    ]
    notes = [*_notes(spec), *map(str, [*spec.warnings, *combined]), *card.warnings]
    return "\n".join([*lines, *(f"note       {note}" for note in notes)])


def _inputs(card: DataCard) -> str:
    """What a model may read."""
    found = f"{len(card.features)} features"
    if card.vocabulary:
        found = f"{len(card.vocabulary)} known tokens"
    layout = card.layout
    side = [f"{len(layout.static)} number{'s' * (len(layout.static) > 1)}"] * bool(layout.static)
    side += ["a picture"] * (layout.side_picture is not None)
    return f"{found}, {' and '.join(side)} beside each sequence" if side else found


def _searched(spec: SweepSpec) -> int:
    return sum(parameter.domain.size != 1 for parameter in spec.space.parameters.values())


def _notes(spec: SweepSpec) -> list[str]:
    """What the sampler will not do, though one might think so."""
    from tuner.search.samplers import FACTS

    facts = FACTS[spec.search.sampler]
    notes = []
    if independent := facts.independent(spec.space):
        notes.append(
            f"{spec.search.sampler} draws at random, whatever it learned: {', '.join(independent)}"
        )
    if facts.ignores_pruned and spec.search.scheduler != "none":
        notes.append(
            f"{spec.search.sampler} learns from completed trials only, and "
            f"{spec.search.scheduler} stops most: take tpe, or `search/scheduler: none`"
        )
    if spec.constraints and spec.search.sampler == "cmaes":
        notes.append("cmaes does not learn from constraints: take tpe, nsga2 or gp")
    return notes


def _epoch_seconds(spec: SweepSpec, data: Path) -> float:
    """Seconds of one epoch of the default configuration, all folds, from a few steps."""
    import torch

    from tuner.config import TrialConfig, make_task
    from tuner.data.store import Store
    from tuner.training.fit import Fit
    from tuner.training.ranks import Ranks

    torch.set_num_threads(spec.resources.cpus_per_worker)
    store = Store.open(data)
    # Timed on the CPU, which has no float16.
    values = spec.space.defaults() | {"training/precision": "float32"}
    config = TrialConfig.from_values(values, spec.task)
    fold = 0 if store.card.num_folds else None
    task = make_task(spec.task, config, store.card, fold)
    fit = Fit(config, task, store, Ranks(), data=data, fold=fold)
    size = config.training.batch_size
    steps = fit.train.steps(1)
    fit.step(steps[0])
    probed_steps = steps[:_PROBED_STEPS]
    begin = time.perf_counter()
    for places in probed_steps:
        fit.step(places)
    training = (time.perf_counter() - begin) / len(probed_steps) * len(steps)
    rows = fit.validation.rows
    probed = fit.validation.first(4 * size)
    begin = time.perf_counter()
    fit.evaluate(probed)
    validation = (time.perf_counter() - begin) * len(rows) / max(len(probed), 1)
    return (training + validation) * max(store.card.num_folds, 1)


def _estimate(spec: SweepSpec, epoch_seconds: float, lanes: int) -> str:
    trial = epoch_seconds * spec.max_epochs
    total = trial * math.ceil(spec.search.trials / lanes)
    text = f"the default configuration trains {_clock(trial)} for {spec.max_epochs} epochs"
    text += f"; {spec.search.trials} such trials {_clock(total)}"
    if spec.search.scheduler != "none":
        text += f", less what {spec.search.scheduler} stops early"
    return text


def _clock(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
