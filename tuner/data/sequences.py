"""Tables to sequences: rows grouped by id, ordered by time, holes filled from the past only.

N rows of all sequences, one after the other   F features   S sequences
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tuner.data import categories, columns, filling, times
from tuner.data.card import TaskData
from tuner.data.files import join_some
from tuner.data.layout import Layout
from tuner.data.table import RawTable
from tuner.errors import Mistake


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file and the split that it was named for."""

    split: int
    """Place in `SPLITS`."""
    table: RawTable


@dataclass(frozen=True, kw_only=True, eq=False)
class Sequences:
    """All rows of all files, grouped."""

    values_NF: np.ndarray
    """float32, NaN where missing."""
    observed_NF: np.ndarray | None
    """uint8; None where nothing is missing."""
    token_N: np.ndarray | None = None
    """int32: place in `forms`; None where features are read."""
    forms: Sequence[str] = ()
    """Every token as it is written."""
    split_N: np.ndarray
    """int8: split that a row's file was named for."""
    ids: pa.StringArray
    offset_S: np.ndarray
    length_S: np.ndarray
    clock: times.Clock | None
    row_N: np.ndarray
    """Where each row stood, counted over all files."""
    tables: Sequence[RawTable]

    def where(self, steps: np.ndarray, most: int = columns.MAX_LISTED) -> str:
        """The places of some steps in their files."""
        starts = np.cumsum([0] + [len(t.columns) for t in self.tables])
        rows = self.row_N[steps[:most]]
        owners = np.searchsorted(starts, rows, side="right") - 1
        more = len(steps) - len(rows)
        places = []
        for i, (owner, row) in enumerate(zip(owners, rows, strict=True)):
            table, place = self.tables[owner], int(row - starts[owner])
            same = i > 0 and owner == owners[i - 1]
            places.append(table.place(place) if same else table.where(place))
        return join_some(places) + (f" and {more:,} more" if more else "")

    @property
    def content_N(self) -> np.ndarray:
        """What each step holds, as rows that can be compared by their bytes."""
        return self.values_NF if self.token_N is None else self.token_N

    @property
    def file_N(self) -> np.ndarray:
        """Place in `tables` of the file that each row stood in."""
        ends = np.cumsum([len(table.columns) for table in self.tables])
        return np.searchsorted(ends, self.row_N, side="right")

    def take(self, kept_N: np.ndarray) -> Sequences:
        """Without the other rows; every sequence must keep one."""
        length_S = np.add.reduceat(kept_N, self.offset_S, dtype=np.int64)
        observed_NF = self.observed_NF
        return replace(
            self,
            values_NF=self.values_NF[kept_N],
            observed_NF=None if observed_NF is None else observed_NF[kept_N],
            token_N=None if self.token_N is None else self.token_N[kept_N],
            split_N=self.split_N[kept_N],
            row_N=self.row_N[kept_N],
            clock=self.clock and self.clock.take(kept_N),
            offset_S=np.cumsum(length_S) - length_S,
            length_S=length_S,
        )

    def name(self, sequence: int) -> str:
        """The id of a sequence, for a message."""
        return repr(self.ids[int(sequence)].as_py())


def group(
    parts: Sequence[Part],
    layout: Layout,
    task: TaskData,
    mistakes: list[Mistake],
    warnings: list[str],
) -> Sequences:
    """Groups the rows of all files into sequences; `layout` names every column.

    Labelled sequences of two splits stay apart even under one id; series and histories go on from
    split to split. Sorting leaves rows of one time in the order of their files.
    """
    assert layout.features is not None, "a layout with its features resolved"
    tables = [part.table for part in parts]
    for table in tables:
        _note_missing(table, layout, mistakes)
    values_NF = _values(tables, layout.features, mistakes)
    values_NF = categories.appended(values_NF, tables, layout, mistakes, warnings)
    split_N = np.repeat(
        np.array([part.split for part in parts], dtype=np.int8), [len(t.columns) for t in tables]
    )
    clock = times.read(tables, layout.time, mistakes) if layout.time else None
    texts_N = _ids(tables, layout, mistakes)
    key_N = texts_N.indices.to_numpy().astype(np.int64)
    tokens_N = columns.to_tokens(tables, layout, mistakes) if layout.text else None
    token_N = None if tokens_N is None else tokens_N.indices.to_numpy()
    if task.kind == "sequence":
        key_N = key_N + split_N.astype(np.int64) * len(texts_N.dictionary)
    order_N = _order(key_N, clock if layout.sort else None)
    if order_N is not None:
        key_N, split_N, values_NF = key_N[order_N], split_N[order_N], values_NF[order_N]
        clock = replace(clock, moments_N=clock.moments_N[order_N]) if clock else None
        token_N = None if token_N is None else token_N[order_N]
    offset_S = np.flatnonzero(np.diff(key_N, prepend=-1))
    row_N = np.arange(len(key_N)) if order_N is None else order_N
    sequences = Sequences(
        values_NF=values_NF,
        observed_NF=None,
        token_N=token_N,
        forms=() if tokens_N is None else tuple(tokens_N.dictionary.to_pylist()),
        split_N=split_N,
        ids=texts_N.dictionary.take(pa.array(key_N[offset_S] % len(texts_N.dictionary))),
        offset_S=offset_S,
        length_S=np.diff(offset_S, append=len(key_N)),
        clock=clock,
        row_N=row_N,
        tables=tables,
    )
    times.check(sequences, mistakes, warnings, events=task.kind == "history")
    sequences = cap(sequences, layout, mistakes)
    return filling.filled(sequences, layout, mistakes)


def _note_missing(table: RawTable, layout: Layout, mistakes: list[Mistake]) -> None:
    rule_all = "column {!r} must hold a number in some row"
    for name in layout.features or ():
        absent = columns.absent_rows(table, name)
        if not len(absent):
            continue
        if len(absent) == len(table.columns):
            mistakes.append(
                Mistake(
                    code="data/all-missing",
                    rule=rule_all.format(name),
                    where=table.name,
                    got=f"{len(absent):,} rows without one",
                    fix="Leave the column out of `data/features`.",
                )
            )
        elif layout.missing == "error":
            target = layout.channels is not None and name in layout.channels
            mistakes.append(
                Mistake(
                    code="data/missing-target" if target else "data/missing-value",
                    rule=f"column {name!r} must be complete unless `data/missing` says what to do",
                    where=f"{table.name} {columns.told(table, absent)}",
                    got=f"{len(absent):,} missing of {len(table.columns):,}",
                    fix="Fill them, or set `missing: forward`, `mean` or `zero`.",
                )
            )


def _values(tables: Sequence[RawTable], names: Sequence[str], bad: list[Mistake]) -> np.ndarray:
    values_NF = np.empty((sum(len(t.columns) for t in tables), len(names)), dtype=np.float32)
    start = 0
    for table in tables:
        end = start + len(table.columns)
        for f, name in enumerate(names):
            values_NF[start:end, f] = columns.to_numbers(table, name, bad)
        start = end
    return values_NF


def _ids(tables: Sequence[RawTable], layout: Layout, mistakes: list[Mistake]) -> pa.DictionaryArray:
    """The sequence that each row belongs to."""
    if layout.id is None:
        num_rows = sum(len(t.columns) for t in tables)
        return pa.DictionaryArray.from_arrays(
            pa.array(np.zeros(num_rows, dtype=np.int32)), pa.array(["series"], pa.string())
        )
    for table in tables:
        absent = columns.absent_rows(table, layout.id)
        if len(absent):
            mistakes.append(
                Mistake(
                    code="data/missing-id",
                    rule=f"id column {layout.id!r} must be complete",
                    where=f"{table.name} {columns.told(table, absent)}",
                    got=f"{len(absent):,} missing",
                    fix="Name the sequence of every row.",
                )
            )
    texts_N = columns.to_texts(tables, layout.id)
    if texts_N.null_count:
        texts_N = pc.fill_null(texts_N.cast(pa.string()), "").dictionary_encode()
    return texts_N


def _order(key_N: np.ndarray, clock: times.Clock | None) -> np.ndarray | None:
    """The order that groups rows by key and, with a clock, sorts them; None if they already are."""
    if clock is not None:
        return np.lexsort((clock.moments_N, key_N))
    if (np.diff(key_N) >= 0).all():
        return None
    return np.argsort(key_N, kind="stable")


def cap(sequences: Sequences, layout: Layout, mistakes: list[Mistake]) -> Sequences:
    """Cuts sequences down to `max_length`, or tells those that are longer."""
    most = layout.max_length
    if most is None or sequences.length_S.max(initial=0) <= most:
        return sequences
    longer = np.flatnonzero(sequences.length_S > most)
    if layout.truncate is None:
        mistakes.append(
            Mistake(
                code="data/too-long",
                rule=f"a sequence must have at most `max_length`, {most} steps",
                where=sequences.where(sequences.offset_S[longer]),
                got=f"{len(longer):,} longer, the longest with {sequences.length_S.max():,}",
                fix="Set `truncate: start` or `truncate: end`, or raise `max_length`.",
            )
        )
        return sequences
    offset_N = np.repeat(sequences.offset_S, sequences.length_S)
    length_N = np.repeat(sequences.length_S, sequences.length_S)
    place_N = np.arange(len(offset_N)) - offset_N
    kept_N = place_N >= length_N - most if layout.truncate == "start" else place_N < most
    return sequences.take(kept_N)
