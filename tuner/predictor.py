"""An exported model that answers raw rows; needs neither torch, Ray and MLflow nor the sweep."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tuner import registry
from tuner.data.files import join_some
from tuner.data.layout import GIVEN, Layout
from tuner.data.predicting import grouped, read_for_prediction
from tuner.data.reading import with_named_files
from tuner.data.store import Steps
from tuner.data.table import RawTable
from tuner.errors import BundleError, DataError, Mistake
from tuner.export.bundle import Bundle
from tuner.export.contents import CONTENTS
from tuner.export.decoding import answered
from tuner.export.integrity import altered
from tuner.tasks._base import Batch, Facts, Outputs, Task

_ROWS = 512
_STEPS = 1 << 18
"""Most padded steps of a batch: one long sequence must not make all others as long in memory."""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a model says of some raw rows."""

    columns: dict[str, list[Any]]
    scores: dict[str, float]
    """The task's metrics where there are labels for every sequence; else empty."""
    notes: list[str]
    """What a user should know."""


class Predictor:
    """A bundle with its task, ready for rows laid out as those of training."""

    def __init__(self, bundle: Bundle) -> None:
        longest: Any = bundle.contents.about.preprocessing.get("longest")
        self._bundle = bundle
        self._longest: int | None = longest
        self.layout = layout_of(bundle)
        self.task = task_of(bundle)

    @classmethod
    def open(cls, folder: str | os.PathLike[str], format: str = "onnx") -> Predictor:
        """Of a bundle's folder, to answer by one of the formats that it holds.

        Raises:
            BundleError: its files are not whole, or without this format.
        """
        return cls(Bundle.open(folder, format))

    def read(self, paths: Sequence[Path], format: str | None = None) -> Answers:
        """Answers files.

        Args:
            paths: the files.
            format: of all of them; None: as in training, or by their extensions.

        Raises:
            DataError: every mistake that can be found in them.
        """
        layout = replace(self.layout, format=format) if format else self.layout
        notes: list[str] = []
        return self._answer(read_for_prediction(paths, layout, *self._known, warnings=notes), notes)

    def answer(self, table: RawTable) -> Answers:
        """Answers a table with the columns of the training files; targets may be left out.

        In place of names of files, rows hold the files themselves, as `data:` URIs, or the columns
        that are read from them.

        Raises:
            DataError: every mistake that can be found in it.
        """
        layout = self.layout.asked
        if layout.features and set(layout.features) <= set(table.columns.column_names):
            layout = replace(layout, picture=None, frames=None, audio=None)
        table = with_named_files(table, None, layout)
        notes: list[str] = []
        return self._answer(grouped([table], self.layout, *self._known, notes), notes)

    @property
    def _known(self) -> tuple[Sequence[str], Sequence[str], int, Sequence[str]]:
        """Labels, words, the horizon and words of targets, as reading asks for them."""
        facts = self.task.facts
        horizon: int = getattr(self.task, "horizon", 0)
        return facts.labels, facts.vocabulary, horizon, facts.target_vocabulary

    def _answer(self, steps: Steps, notes: list[str]) -> Answers:
        task = self.task
        if mistakes := task.refused(steps):
            raise DataError(mistakes)
        self._note_longer(steps, notes)
        rows = task.prediction_rows(steps)
        scored = len(rows) > 0 and task.is_labelled(steps)
        if scored and find_spec("torch") is None:
            notes.append("the labels are not compared with the answers, as torch is not installed")
            scored = False
        columns: dict[str, list[Any]] = {}
        sums: list[Any] = []
        for piece in _pieces(rows, task.lengths(steps, rows)):
            batch = task.batch(steps, piece)
            outputs = answered(self._bundle, batch, task)
            notes += task.notes(steps, piece, outputs)
            if scored:
                sums.append(_sums(task, outputs, batch))
            for name, values in task.decode(steps, piece, outputs, batch).items():
                columns.setdefault(name, []).extend(values)
        _note_not_finite(columns, notes)
        scores = task.metrics(sum(sums[1:], sums[0]).tolist()) if scored else {}
        return Answers(columns=columns, scores=scores, notes=notes)

    def _note_longer(self, steps: Steps, notes: list[str]) -> None:
        longest = self._longest
        if longest is None or self.layout.channels:
            # Of a series, the end alone is read.
            return
        longer = np.flatnonzero(steps.length_S > longest)
        if len(longer):
            some = join_some(f"{steps.ids[int(s)]!r} of {steps.length_S[s]:,}" for s in longer)
            notes.append(
                f"{len(longer):,} of {len(steps.length_S):,} sequences are longer than any of "
                f"training, which had {longest:,} steps at the most: {some} [predict/longer]"
            )


def layout_of(bundle: Bundle) -> Layout:
    """How the training files were laid out.

    Raises:
        BundleError: it makes no sense, or a part of it belongs to nobody who is installed.
    """
    with _understood(bundle):
        found: Any = bundle.contents.about.preprocessing["layout"]
        layout = Layout.from_json(found)
    if layout.format is not None:
        _refuse_foreign(bundle, "formats", layout.format)
    if layout.text is not None and layout.tokens != GIVEN:
        _refuse_foreign(bundle, "tokenizers", layout.tokens)
    if layout.target_text is not None:
        _refuse_foreign(bundle, "tokenizers", layout.target_tokens)
    return layout


def task_of(bundle: Bundle) -> Task:
    """The task that a bundle's model was trained for.

    Raises:
        BundleError: it makes no sense, does not fit the graph, or belongs to nobody who is
            installed.
    """
    about = bundle.contents.about
    _refuse_foreign(bundle, "tasks", about.task.name)
    module = registry.get("tasks", about.task.name)
    with _understood(bundle):
        facts: Any = about.preprocessing["facts"]
        inputs: Any = about.preprocessing["inputs"]
        task: Task = module.create(
            module.Config(name=about.task.name, **about.task.options),
            module.InputConfig(**inputs),
            Facts.from_json(facts),
        )
    wants, shape = about.signature, task.shape
    asks = (shape.outputs, shape.per_step, shape.stride, shape.vocabulary, shape.characters)
    gives = (wants.outputs, wants.per_step, wants.stride, wants.vocabulary, wants.characters)
    reads = shape.vocabulary or shape.inputs == wants.inputs
    asks_decoder = shape.decodes, shape.pace > 0, shape.picture[0] if shape.picture else 0
    frames = wants.decoder is not None and wants.decoder.frames_per_step > 0
    gives_decoder = wants.decoder is not None and not frames, frames, wants.fixed
    beside = shape.side.size if shape.side else 0
    if not reads or (*asks, *asks_decoder, beside) != (*gives, *gives_decoder, wants.side):
        rule = "the task must read and give what the graph does"
        raise BundleError(altered(bundle.folder / CONTENTS, rule, f"{shape} beside {wants}"))
    return task


@contextmanager
def _understood(bundle: Bundle) -> Iterator[None]:
    """What an author of malice wrote in place of what the exporter writes is told as such."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        rule = "the preprocessing must be what the exporter writes"
        got = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        raise BundleError(altered(bundle.folder / CONTENTS, rule, got)) from error


def _refuse_foreign(bundle: Bundle, kind: str, name: str) -> None:
    """An import path would run whatever lies in the current folder."""
    if name not in registry.names(kind):
        raise BundleError(
            Mistake(
                code="bundle/part",
                rule=f"the {kind} that a bundle names must be installed",
                where=str(bundle.folder / CONTENTS),
                got=repr(name),
                fix=f"Install the package whose entry point in `rnn_tuner.{kind}` has this name.",
            )
        )


def _pieces(rows: np.ndarray, lengths: np.ndarray | None) -> list[np.ndarray]:
    """The rows in order, as batches of few enough rows and padded steps."""
    if lengths is None:
        return [rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS)]
    starts, longest = [0], 0
    for place, length in enumerate(lengths.tolist()):
        longest = max(longest, length)
        count = place + 1 - starts[-1]
        if count > _ROWS or (count > 1 and count * longest > _STEPS):
            starts.append(place)
            longest = length
    return np.split(rows, starts[1:]) if len(rows) else []


def _sums(task: Task, outputs: Outputs, batch: Batch) -> Any:
    """The statistics of one batch, whose labels are known."""
    import torch

    several = isinstance(outputs, tuple)
    tensors: Any = tuple(map(torch.from_numpy, outputs)) if several else torch.from_numpy(outputs)
    return task.statistics(tensors, batch.to_torch("cpu"))


def _note_not_finite(columns: dict[str, list[Any]], notes: list[str]) -> None:
    """Numbers that are none, which a table shows as nothing."""
    count = 0
    for values in columns.values():
        for place, value in enumerate(values):
            if isinstance(value, float) and not math.isfinite(value):
                values[place] = None
                count += 1
    if count:
        notes.append(
            f"{count:,} answers are left empty, since they are not finite: the inputs lie far from "
            "those of training [predict/not-finite]"
        )
