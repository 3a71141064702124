"""From a bundle's folder to a version of a registered model, which `mlflow models serve` serves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tuner.context import trial_key
from tuner.data import columns, reading
from tuner.data.extensions import format_of
from tuner.data.files import local
from tuner.data.layout import Layout
from tuner.data.table import RawTable
from tuner.errors import InputError
from tuner.export.bundle import Bundle
from tuner.export.contents import CARD, About
from tuner.export.integrity import read_plain
from tuner.predictor import Predictor
from tuner.refusals import refuse_tracking
from tuner.tracking import registry
from tuner.tracking.dataset import dataset

if TYPE_CHECKING:
    from tuner.sweep import Sweep

_ROWS = 1000
"""Most rows of an example."""


def check(sweep: Sweep, model: str, alias: str) -> None:
    """Refuses names before anything is exported.

    Raises:
        CommandError: of the model, or of its alias.
        InputError: the tracking server does not answer.
    """
    if mistakes := registry.check_names(model, alias):
        raise InputError(mistakes)
    refuse_tracking(sweep)


def register(sweep: Sweep, folder: Path, model: str, alias: str) -> str:
    """Puts a bundle of a sweep's trial into the registry of its tracking server.

    Returns:
        What to tell the user.

    Raises:
        CommandError: the trial's run was not delivered, or MLflow does not take the model.
        DataError: the training file, which an example is taken from, cannot be read.
    """
    uri = sweep.home.tracking_uri(sweep.spec.tracking.uri)
    bundle = Bundle.open(folder)
    about = bundle.contents.about
    run = registry.run_id(sweep.folder, uri, trial_key(about.trial))
    predictor = Predictor(bundle)
    card = sweep.card()
    asked = predictor.layout.asked
    example = example_of(local(sweep.spec.root, card.files[0].path), asked)
    answers = predictor.answer(example)
    takes = takes_of(example, asked)
    entry = registry.Entry(
        name=model,
        alias=alias,
        bundle=folder,
        description=read_plain(folder, CARD).decode(),
        tags={"sweep": about.name, "trial": str(about.trial), "task": about.task.name},
        metrics=_metrics(about),
        run_id=run,
        data=dataset(trial_key(about.trial), card),
        takes=takes,
        gives={name: _kind(values[0]) for name, values in answers.columns.items()},
        example={name: _typed(example, name, takes[name]) for name in example.columns.column_names},
    )
    version = registry.put(uri, entry)
    return (
        f"{model} version {version} is now @{alias}; `mlflow models serve -m "
        f"models:/{model}@{alias} --env-manager local` serves it"
    )


def example_of(path: Path, layout: Layout) -> RawTable:
    """The rows of the first sequence of a training file, less what only training knows; files in
    place of their names."""
    table = format_of(path, layout.format).read(path, layout)
    wanted = dict.fromkeys([*layout.columns, *layout.naming])
    kept = table.columns.select([name for name in wanted if name in table.columns.column_names])
    rows = pa.array([True] + [False] * (len(kept) - 1))
    if layout.id is not None:
        code_N = columns.to_texts([table], layout.id).indices
        rows = pc.equal(code_N, code_N[0])
    first = replace(table, columns=kept.filter(rows).slice(0, _ROWS))
    return reading.with_enclosed_files(first, path, layout)


def takes_of(table: RawTable, layout: Layout) -> dict[str, str]:
    """MLflow's types of what a request may hold: numbers for features, texts for words."""
    found = dict.fromkeys(layout.columns, "string")
    found |= dict.fromkeys(layout.naming, "string")
    found |= dict.fromkeys((*(layout.features or ()), *layout.static), "double")
    if len(layout.time) == 1:
        times = columns.to_times(table, *layout.time, [])
        if times is not None and times[1] == "number":
            found |= dict.fromkeys(layout.time, "double")
    for name in filter(None, (layout.id, *layout.time)):
        # MLflow converts nothing that comes in Parquet.
        kind = table.columns.column(name).type
        if pa.types.is_integer(kind):
            found[name] = "long"
        elif pa.types.is_temporal(kind):
            found[name] = "datetime"
    return found


def _typed(table: RawTable, name: str, kind: str) -> list[object]:
    """A column as a request spells it: in a file of texts, numbers are texts."""
    types = {
        **{"double": pa.float64(), "long": pa.int64(), "string": pa.string()},
        "datetime": pa.timestamp("us"),
    }
    found: list[object] = table.columns.column(name).cast(types[kind]).to_pylist()
    return found


def _kind(value: object) -> str:
    """MLflow's type of an answer."""
    return {int: "long", float: "double"}.get(type(value), "string")


def _metrics(about: About) -> dict[str, float]:
    """What is told of the exported model, under names that no curve has."""
    found = {f"exported/{score.metric}": score.validation for score in about.scores}
    tested = {f"exported/test {s.metric}": s.test for s in about.scores if s.test is not None}
    return found | tested
