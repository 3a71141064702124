"""What a network was built with where a trial asked for something that is solved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tuner import registry
from tuner.models.build import shared
from tuner.models.shape import SettingsRefused

if TYPE_CHECKING:
    from tuner.data.card import DataCard
    from tuner.search.records import TrialRecord
    from tuner.spec import SweepSpec

Built = dict[str, int]
"""Field of the model → what it was built with."""


def built(
    spec: SweepSpec, records: Sequence[TrialRecord], card: Callable[[], DataCard]
) -> dict[int, Built]:
    """The width of each trial whose `model/parameters` solved it.

    It stays apart from the trial's values, which are what was asked for: with these a trial is
    resumed, exported or run again, and would be refused with both.

    Args:
        card: of the sweep's data, read only if some trial needs it.
    """
    asking = [record for record in records if record.values.get("model/parameters") is not None]
    if not asking:
        return {}
    facts = card()
    widths: dict[tuple[Any, ...], Built] = {}
    found = {}
    for record in asking:
        key = tuple(
            (path, value)
            for path, value in record.values.items()
            if path.startswith(("model/", "data/"))
        )
        if key not in widths:
            widths[key] = _solved(spec, record, facts)
        found[record.number] = widths[key]
    return {number: solved for number, solved in found.items() if solved}


def _solved(spec: SweepSpec, record: TrialRecord, card: DataCard) -> Built:
    """Nothing for a trial that no width suits: it never had a network."""
    from tuner.config import TrialConfig, make_task

    config = TrialConfig.from_values(record.values, spec.task)
    module = registry.get("architectures", config.model.name)
    shapes = make_task(spec.task, config, card, None).shapes()
    model = shared(config.model, len(shapes))
    try:
        return {"hidden_size": module.solved(model, shapes[0]).hidden_size}
    except SettingsRefused:
        return {}
