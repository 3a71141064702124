"""What a spec says of its search, beside its space, its data and its resources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from search_spaces import Space
from tuner import registry
from tuner.config import TrialConfig
from tuner.data.config import Folds
from tuner.document import Place
from tuner.spec_file import SpecFile
from tuner.spec_goals import Add

PlaceOf = Callable[[str], Place]

_HALVING = {"asha", "hyperband"}


def check(
    file: SpecFile, space: Space, task: Mapping[str, Any], place_of: PlaceOf, add: Add
) -> None:
    """Refuses budgets, batches, precisions and folds that do not go with the rest of a spec.

    Args:
        file: the spec.
        space: found sound by itself.
        task: name and options.
        place_of: where a parameter stands in the spec.
        add: takes every mistake.
    """
    search, resources = file.search, file.resources
    ends = {p: param.domain.ends() for p, param in space.parameters.items()}
    defaults = TrialConfig.from_values(space.defaults(), task)
    epochs = min([int(e) for e in ends.get("training/epochs", [])] or [defaults.training.epochs])
    if search.scheduler != "none" and search.grace > epochs:
        add(
            "grace",
            "`search/grace` must be at most `training/epochs`",
            f"{search.grace} with {epochs} epochs",
            "Lower it, or set `search/scheduler: none`.",
            ("search", "grace"),
        )
    batches = [int(b) for b in ends.get("training/batch_size", [])]
    smallest = min(batches or [defaults.training.batch_size])
    if smallest < resources.most:
        add(
            "batch",
            "`training/batch_size` must be at least `resources/workers`",
            f"{smallest} with {resources.most} workers",
            "Raise the batch size or take fewer workers.",
            place_of("training/batch_size"),
        )
    precisions = ends.get("training/precision", [])
    if "float16" in precisions and not resources.gpus_per_worker:
        add(
            "precision",
            "`training/precision: float16` needs a GPU: elsewhere its range is a loss without "
            "a gain",
            "float16 with `resources/gpus_per_worker` of 0",
            "Take bfloat16, which CPUs know too, or give each trial a GPU.",
            place_of("training/precision"),
        )
    if isinstance(file.data.validation, Folds) and task["name"] == "forecasting":
        add(
            "folds",
            "`data/validation` of a forecast must be a span or a share: folds would let the "
            "future explain the past",
            f"{file.data.validation.folds} folds",
            "Give {origins: 3}, {after: TIME}, or a share such as 0.2 for the last part.",
            ("data", "validation"),
        )
    if search.sampler == "grid":
        size = sum(1 for _ in _at_most(space.grid(search.grid_points), search.trials + 1))
        if size > search.trials:
            add(
                "grid",
                "`search/trials` must hold the whole grid",
                f"{search.trials} trials for more grid points",
                "Raise it, lower `search/grid_points`, or fix some parameters.",
                ("search", "trials"),
            )


def doubt(file: SpecFile, space: Space, place_of: PlaceOf, warn: Add) -> None:
    """Tells of what may stand in a spec and is seldom meant; see `check`."""
    ends = {p: param.domain.ends() for p, param in space.parameters.items()}
    names = [str(name) for name in ends.get("schedule/name", ["constant"])]
    slow = [n for n in names if not registry.get("schedules", n).ANYTIME]
    if file.search.scheduler in _HALVING and slow:
        warn(
            "schedule",
            "a schedule should be an anytime one where trials are stopped early",
            ", ".join(slow),
            "Their rate falls at the end of the full budget, which most trials never see: "
            "take constant or exponential, or `search/scheduler: none`.",
            place_of("schedule/name"),
        )
    layers = [int(n) for n in ends.get("model/layers", [1])]
    dropout = space.parameters.get("regularization/dropout")
    if layers == [1] and dropout is not None and dropout.domain.size != 1:
        warn(
            "dropout",
            "`regularization/dropout` works between layers and before the head",
            "it with one layer",
            "Only the head's input is dropped; `model/layers` above 1 gives it more to do.",
            place_of("regularization/dropout"),
        )


def _at_most(values: Iterable[Any], count: int) -> Iterable[Any]:
    return (value for value, _ in zip(values, range(count), strict=False))
