"""Applies an exported model to raw files; needs neither Ray nor MLflow nor the sweep."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tuner import registry
from tuner.data.layout import Layout
from tuner.data.predicting import read_for_prediction
from tuner.errors import CommandError, Mistake
from tuner.export.bundle import Bundle
from tuner.tasks._base import Batch, Facts, Outputs, Task

FORMATS = (".csv", ".jsonl", ".parquet")
_ROWS = 512


def predict(model: Path, inputs: Sequence[Path], output: Path | None) -> dict[str, float]:
    """Answers raw files laid out as the training files were.

    Args:
        model: folder of a bundle.
        inputs: the files.
        output: a `.csv`, `.jsonl` or `.parquet`; CSV to stdout without one.

    Returns:
        The task's metrics where the files hold labels for every sequence, else nothing.

    Raises:
        BundleError: the model's files are not whole.
        DataError: the input files, every mistake.
        CommandError: the output cannot be written.
    """
    if output is not None and output.suffix not in FORMATS:
        raise _refused(f"--output must end in one of {', '.join(FORMATS)}", output, "another")
    bundle = Bundle.open(model)
    task = task_of(bundle)
    layout: Any = bundle.contents.about.preprocessing["layout"]
    warnings: list[str] = []
    steps = read_for_prediction(
        inputs,
        Layout.from_json(layout),
        task.facts.labels,
        task.facts.vocabulary,
        horizon=getattr(task, "horizon", 0),
        warnings=warnings,
    )
    for warning in warnings:
        print(f"note: {warning}", file=sys.stderr)
    rows = task.prediction_rows(steps)
    columns: dict[str, list[Any]] = {}
    sums: list[Any] = []
    labelled = len(rows) > 0 and task.is_labelled(steps)
    for start in range(0, len(rows), _ROWS):
        piece = rows[start : start + _ROWS]
        batch = task.batch(steps, piece)
        outputs = bundle.run(batch.inputs, batch.lengths)
        if labelled:
            sums.append(_sums(task, outputs, batch))
        for name, values in task.decode(steps, piece, outputs, batch).items():
            columns.setdefault(name, []).extend(values)
    try:
        _write(columns, output)
    except OSError as error:
        raise _refused("--output must be writable", output, error.strerror or str(error)) from None
    return task.metrics(sum(sums[1:], sums[0]).tolist()) if labelled else {}


def task_of(bundle: Bundle) -> Task:
    """The task that a bundle's model was trained for."""
    about = bundle.contents.about
    module = registry.get("tasks", about.task.name)
    facts: Any = about.preprocessing["facts"]
    inputs: Any = about.preprocessing["inputs"]
    task: Task = module.create(
        module.Config(name=about.task.name, **about.task.options),
        module.InputConfig(**inputs),
        Facts.from_json(facts),
    )
    return task


def _sums(task: Task, outputs: Outputs, batch: Batch) -> Any:
    """The statistics of one batch, whose labels are known."""
    import torch

    if isinstance(outputs, tuple):
        y, transitions = outputs
        tensors: Any = torch.from_numpy(y), torch.from_numpy(transitions)
    else:
        tensors = torch.from_numpy(outputs)
    return task.statistics(tensors, batch.to_torch("cpu"))


def _write(columns: Mapping[str, list[Any]], output: Path | None) -> None:
    rows = zip(*columns.values(), strict=True)
    if output is None:
        csv.writer(sys.stdout, lineterminator="\n").writerows([list(columns), *rows])
    elif output.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table(dict(columns)), output)
    elif output.suffix == ".jsonl":
        lines = (json.dumps(dict(zip(columns, row, strict=True))) for row in rows)
        output.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    else:
        with output.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([list(columns), *rows])


def _refused(rule: str, output: Path | None, got: str) -> CommandError:
    return CommandError(
        Mistake(
            code="command/not-writable",
            rule=rule,
            where=str(output),
            got=got,
            fix="Name another file.",
        )
    )
