"""Texts to sequences of tokens: a row holds a text, or one token of a sequence.

N tokens of all texts, one after the other   S texts
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from tuner import registry
from tuner.data import columns
from tuner.data.card import TaskData
from tuner.data.config import DataConfig
from tuner.data.files import join_some
from tuner.data.layout import GIVEN, Layout
from tuner.data.sequences import Part, Sequences, cap, group
from tuner.data.splits import TRAIN, Assigned
from tuner.data.table import RawTable
from tuner.errors import Mistake

END = "\n"
"""Ends each text of a stream: the line break of a plain text, or a token of its own."""


def learns(layout: Layout) -> bool:
    """Whether the tokenizer is yet to learn from training rows."""
    if layout.text is None or layout.tokens == GIVEN or layout.tokenizer:
        return False
    return hasattr(registry.get("tokenizers", layout.tokens), "learn")


def learn(sequences: Sequences, layout: Layout, assigned: Assigned, config: DataConfig) -> Layout:
    """The layout with what its tokenizer learned from the training texts."""
    part = registry.get("tokenizers", layout.tokens)
    assert layout.text is not None
    texts_R = [
        text
        for table in sequences.tables
        for text in columns.to_strings(table, layout.text, lowercase=layout.lowercase)
    ]
    train_S = assigned.split_S == TRAIN
    rows = sequences.row_N[sequences.offset_S[train_S]]
    size = config.vocabulary or part.SIZE
    return replace(layout, tokenizer=part.learn((texts_R[row] for row in rows), size))


def read(
    parts: Sequence[Part],
    layout: Layout,
    task: TaskData,
    mistakes: list[Mistake],
    warnings: list[str],
) -> Sequences:
    """The sequences of all files, whatever a row is: a text, one token, or numbers."""
    if layout.text is None or layout.tokens == GIVEN:
        return group(parts, layout, task, mistakes, warnings)
    return split(parts, layout, mistakes)


def split(parts: Sequence[Part], layout: Layout, mistakes: list[Mistake]) -> Sequences:
    """Each row's text as one sequence.

    A tokenizer that is yet to learn leaves its texts cut at white space: enough to assign splits.
    """
    assert layout.text is not None
    tokenizer = registry.get("tokenizers", "whitespace" if learns(layout) else layout.tokens)
    ends = [END] if layout.target == "none" else []
    codes: dict[str, int] = {}
    tokens: list[int] = []
    length_S: list[int] = []
    empty: list[int] = []
    for part in parts:
        if len(absent := columns.absent_rows(part.table, layout.text)) and not ends:
            mistakes.append(columns.missing_text(part.table, layout.text, absent))
        for text in columns.to_strings(part.table, layout.text, lowercase=layout.lowercase):
            found = tokenizer.split(text, layout.tokenizer) + ends
            if not found:
                # Told below; a token of its own keeps what follows in its place.
                empty.append(len(length_S))
                found = [""]
            tokens += [codes.setdefault(token, len(codes)) for token in found]
            length_S.append(len(found))
    lengths_S = np.array(length_S, dtype=np.int64)
    tables = [part.table for part in parts]
    split_S = np.repeat(
        np.array([part.split for part in parts], dtype=np.int8), [len(t.columns) for t in tables]
    )
    sequences = Sequences(
        values_NF=np.empty((len(tokens), 0), dtype=np.float32),
        observed_NF=None,
        token_N=np.array(tokens, dtype=np.int32),
        forms=tuple(codes),
        split_N=np.repeat(split_S, lengths_S),
        ids=_ids(tables, layout),
        offset_S=np.cumsum(lengths_S) - lengths_S,
        length_S=lengths_S,
        clock=None,
        row_N=np.repeat(np.arange(len(lengths_S)), lengths_S),
        tables=tables,
    )
    absent_rows = {row for table in tables for row in columns.absent_rows(table, layout.text)}
    if empty and not absent_rows:
        mistakes.append(_empty(tables, empty))
    return sequences if learns(layout) else cap(sequences, layout, mistakes)


def _ids(tables: Sequence[RawTable], layout: Layout) -> pa.StringArray:
    """Each text's id, or its place in the files."""
    if layout.id is not None:
        return columns.to_texts(tables, layout.id).cast(pa.string())
    alone = len(tables) == 1
    places = [(t.place if alone else t.where)(r) for t in tables for r in range(len(t.columns))]
    return pa.array(places, pa.string())


def _empty(tables: Sequence[RawTable], empty: Sequence[int]) -> Mistake:
    starts = np.cumsum([0] + [len(t.columns) for t in tables])
    owners = np.searchsorted(starts, empty, side="right") - 1
    places = [tables[o].where(int(row - starts[o])) for o, row in zip(owners, empty, strict=True)]
    return Mistake(
        code="data/empty-text",
        rule="a text must hold a token",
        where=join_some(places),
        got=f"{len(empty):,} without one",
        fix="Remove the rows, or choose other `data/tokens`.",
    )
