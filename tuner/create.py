"""From a spec to a sweep's folder: prepared data, baselines, the frozen spec."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tuner import copies, versions
from tuner.errors import PlanError
from tuner.files import write_text
from tuner.home import BASELINES, PARTS, SPEC
from tuner.nodes import planned
from tuner.results.live import Display

if TYPE_CHECKING:
    from tuner.sweep import Sweep


def create(sweep: Sweep, display: Display) -> None:
    """Makes the sweep's folder in one rename, so that a mistake in the data leaves nothing."""
    from tuner import registry, sources
    from tuner.baselines import baselines
    from tuner.combinations import refused
    from tuner.data.prepare import prepare
    from tuner.memory import too_large

    module = registry.get("tasks", sweep.spec.task["name"])
    temporary = sweep.home.unfinished(sweep.spec.name)
    made_home = not sweep.home.path.exists()
    try:
        display.message("preparing the data")
        temporary.mkdir(parents=True)
        card = prepare(
            sweep.spec.data,
            module.data(module.Config(**sweep.spec.task)),
            sweep.spec.root,
            temporary / "data",
            sweep.spec.search.seed,
        )
        # Nobody knows how much memory the nodes of a cluster have.
        if sweep.cluster.entry is None and (
            mistake := too_large(sweep.spec, card, planned(sweep.spec))
        ):
            raise PlanError(mistake)
        sources.keep(sweep.spec, sweep.home, temporary / "data")
        if sweep.cluster.entry is not None:
            take_parts_along(sweep, temporary)
        if sweep.cluster.objects is not None:
            copies.keep_place(temporary, sweep.cluster.objects)
        for warning in [*sweep.spec.warnings, *refused(sweep.spec, card), *card.warnings]:
            display.warning(str(warning))
        found = baselines(sweep.spec, temporary / "data")
        (temporary / "trials").mkdir()
        write_text(temporary / BASELINES, json.dumps(found, indent=1))
        versions.keep(temporary)
        write_text(temporary / SPEC, json.dumps(sweep.spec.to_data(), indent=1))
        temporary.rename(sweep.folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        if made_home:
            sweep.home.path.rmdir()
        raise


def take_parts_along(sweep: Sweep, folder: Path) -> None:
    """The nodes of a cluster need not see the spec's folder."""
    from tuner import parts

    if not (folder / PARTS).exists():
        parts.keep(sweep.spec.root, folder / PARTS)
