"""Raw input for an exported model: the readers of training, with targets optional."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tuner.data import (
    deriving,
    filling,
    future,
    meaning,
    reading,
    side,
    tags,
    target_texts,
    targets,
    texts,
    vocabulary,
)
from tuner.data import labels as labelling
from tuner.data.card import Kind, TaskData
from tuner.data.files import join_some
from tuner.data.layout import Layout
from tuner.data.sequences import Part
from tuner.data.store import Ids, Steps, TargetTokens
from tuner.data.table import RawTable
from tuner.errors import DataError, Mistake


def read_for_prediction(
    paths: Sequence[Path],
    layout: Layout,
    labels: Sequence[str],
    words: Sequence[str] = (),
    horizon: int = 0,
    target_words: Sequence[str] = (),
    *,
    warnings: list[str],
) -> Steps:
    """Reads files laid out as the training files were; label -1 where there is none that is known.

    Args:
        paths: the files.
        layout: of the training files.
        labels: the training labels.
        words: the training vocabulary.
        horizon: steps to forecast.
        target_words: the training vocabulary of target texts.
        warnings: gets what a user should know.

    Raises:
        DataError: every mistake that can be found.
    """
    mistakes: list[Mistake] = []
    tables = [table for table in reading.read_all(paths, layout.asked, mistakes) if table]
    return grouped(tables, layout, labels, words, horizon, target_words, warnings, mistakes)


def grouped(
    tables: Sequence[RawTable],
    layout: Layout,
    labels: Sequence[str],
    words: Sequence[str],
    horizon: int,
    target_words: Sequence[str],
    warnings: list[str],
    mistakes: Sequence[Mistake] = (),
) -> Steps:
    """The same from tables that have been read, with the mistakes that were found in doing so."""
    mistakes = list(mistakes)
    if layout.target == "frames":
        return _texts(tables, layout, target_words, mistakes)
    for table in tables:
        names = table.columns.column_names
        there = {*names}
        mistakes += [
            meaning.absent(table, name, names) for name in layout.columns if name not in there
        ]
    if mistakes:
        raise DataError(mistakes)
    kind: Kind = "series" if layout.channels else "sequence"
    if layout.target == "next":
        kind = "history"
    task = TaskData(kind=kind, target=layout.target)
    parts = [Part(split=0, table=table) for table in tables]
    # What is known ahead stands in rows whose other columns are missing.
    lenient = replace(layout, missing="mean") if layout.derived.known else layout
    sequences = texts.read(parts, lenient, task, mistakes, warnings)
    if mistakes:
        raise DataError(mistakes)
    sequences, ahead_S = future.extended(sequences, layout, horizon, mistakes)
    if layout.derived.known and ahead_S is not None:
        if layout.missing == "error":
            future.refuse_missing(sequences, layout, ahead_S, mistakes)
        sequences = filling.filled(sequences, layout, mistakes)
    sequences = deriving.derived(sequences, layout, mistakes)
    side_SX = side.read(sequences, layout, mistakes)
    label_S = np.full(len(sequences.offset_S), -1, dtype=np.int32)
    tag_N = None
    if layout.label and all(layout.label in table.columns.column_names for table in tables):
        if layout.target == "tags":
            read_N, spelled = tags.read(sequences, layout.label, mistakes, complete=False)
            tag_N = tags.numbered(read_N, spelled, labels)
            _warn_of_unknown(spelled, labels, warnings)
        else:
            found = labelling.read(sequences, layout.label, mistakes, complete=False)
            label_S = labelling.numbered(found, labels)
            _warn_of_unknown([label for label in found if label is not None], labels, warnings)
    target_SC = number_NC = None
    if layout.targets and all({*layout.targets} <= {*t.columns.column_names} for t in tables):
        if layout.target == "numbers":
            number_NC = targets.read_steps(sequences, layout.targets, mistakes, complete=False)
        else:
            target_SC = targets.read(sequences, layout.targets, mistakes, complete=False)
    target_tokens: TargetTokens | None = None
    if layout.target_text and all(layout.target_text in t.columns.column_names for t in tables):
        text_S = target_texts.read(sequences, layout, mistakes, complete=False)
        cut = target_texts.cut(text_S, replace(layout, target_max_length=None), sequences, mistakes)
        target_tokens = target_texts.joined(cut, target_words)
    if mistakes:
        raise DataError(mistakes)
    known: dict[str, Any] = {}
    if sequences.token_N is not None:
        token_N, forms = vocabulary.joined(sequences, words)
        known = {"token_N": token_N, "forms": forms}
    return Steps(
        values_NF=sequences.values_NF,
        observed_NF=sequences.observed_NF,
        ids=Ids(sequences.ids),
        offset_S=sequences.offset_S.astype(np.int64),
        length_S=sequences.length_S.astype(np.int32),
        label_S=label_S,
        tag_N=tag_N,
        target_SC=target_SC,
        target_tokens=target_tokens,
        number_NC=number_NC,
        side_SX=side_SX,
        **known,
        ahead_S=None if ahead_S is None else ahead_S.astype(np.int32),
    )


def _texts(
    tables: Sequence[RawTable], layout: Layout, words: Sequence[str], mistakes: list[Mistake]
) -> Steps:
    """Texts for which frames are to be given, a row each: sequences without a step."""
    asked = layout.asked
    assert asked.text is not None
    for table in tables:
        names = table.columns.column_names
        mistakes += [] if asked.text in names else [meaning.absent(table, asked.text, names)]
    if mistakes:
        raise DataError(mistakes)
    if not all(asked.id in table.columns.column_names for table in tables):
        asked = replace(asked, id=None)
    found = texts.split([Part(split=0, table=table) for table in tables], asked, mistakes)
    if mistakes:
        raise DataError(mistakes)
    token_M, forms = vocabulary.joined(found, words)
    num = len(found.offset_S)
    return Steps(
        values_NF=np.zeros((1, len(layout.names)), np.float32),
        observed_NF=None,
        ids=Ids(found.ids),
        offset_S=np.zeros(num, np.int64),
        length_S=np.zeros(num, np.int32),
        label_S=np.full(num, -1, np.int32),
        target_tokens=TargetTokens(
            token_M=token_M,
            offset_S=found.offset_S.astype(np.int64),
            length_S=found.length_S.astype(np.int32),
            forms=forms,
        ),
    )


def _warn_of_unknown(found: Sequence[str], known: Sequence[str], warnings: list[str]) -> None:
    """Answers are not compared with labels that no answer can be."""
    if unknown := sorted({*found} - {*known}):
        warnings.append(
            f"labels that no training row had, so that answers are not scored: "
            f"{join_some(map(repr, unknown))} [data/unknown-label]"
        )
