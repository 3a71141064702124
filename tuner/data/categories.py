"""Text columns with few values as channels of 0 and 1, by a vocabulary of the training rows.

N rows   F channels
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tuner.data import columns
from tuner.data.files import join_some
from tuner.data.layout import Layout
from tuner.data.table import RawTable
from tuner.errors import Mistake

if TYPE_CHECKING:
    from tuner.data.sequences import Sequences
    from tuner.data.splits import Assigned

MOST = 100
"""Values of one column that may become channels."""


def listed(layout: Layout, tables: Sequence[RawTable], mistakes: list[Mistake]) -> Layout:
    """Names all values that the files hold; `fitted` keeps those of training rows."""
    found = []
    for name in layout.derived.columns:
        values = sorted(set(columns.to_texts(tables, name).dictionary.to_pylist()))
        if len(values) > MOST:
            mistakes.append(
                Mistake(
                    code="data/many-categories",
                    rule=f"a column of `data/categories` must hold at most {MOST} values",
                    where=f"{tables[0].name}, column {name!r}",
                    got=f"{len(values):,} such as {join_some(map(repr, values))}",
                    fix="Leave it out, or join values that are alike.",
                )
            )
        found.append((name, tuple(values)))
    return replace(layout, derived=replace(layout.derived, categories=tuple(found)))


def appended(
    values_NF: np.ndarray,
    tables: Sequence[RawTable],
    layout: Layout,
    mistakes: list[Mistake],
    warnings: list[str],
) -> np.ndarray:
    """The values with a channel for each known value of each category.

    A missing one is missing in all its channels; one that is not known is 0 in all, and told.
    """
    blocks = [values_NF]
    for name, values in layout.derived.categories:
        texts_N = columns.to_texts(tables, name)
        absent = [
            f"{table.name} {columns.told(table, rows)}"
            for table in tables
            if len(rows := columns.absent_rows(table, name))
        ]
        if absent and layout.missing == "error":
            mistakes.append(
                Mistake(
                    code="data/missing-value",
                    rule=f"column {name!r} must be complete unless `data/missing` says what to do",
                    where=absent[0],
                    got=f"{texts_N.null_count:,} missing of {len(texts_N):,}",
                    fix="Fill them, or set `missing: forward`, `mean` or `zero`.",
                )
            )
        known = {value: place for place, value in enumerate(values)}
        texts = texts_N.dictionary.to_pylist()
        place_V = np.array([known.get(text, -1) for text in texts] + [-2], dtype=np.int64)
        place_N = place_V[texts_N.indices.fill_null(len(texts)).to_numpy()]
        block_NV = (place_N[:, None] == np.arange(len(values))).astype(np.float32)
        block_NV[place_N == -2] = np.nan
        blocks.append(block_NV)
        strange = np.flatnonzero(place_N == -1)
        if len(strange):
            names = sorted({text for text in texts if text not in known})
            warnings.append(_told(name, len(strange), names))
    return np.concatenate(blocks, axis=1) if len(blocks) > 1 else values_NF


def fitted(
    sequences: Sequences, layout: Layout, assigned: Assigned, warnings: list[str]
) -> tuple[Sequences, Layout]:
    """Keeps the channels of values that some training row holds."""
    assert layout.features is not None
    start = len(layout.features)
    kept_F = np.ones(sequences.values_NF.shape[1], dtype=bool)
    found = []
    for name, values in layout.derived.categories:
        places = np.arange(start, start + len(values))
        start += len(values)
        seen_NV = sequences.values_NF[:, places] == 1
        kept = seen_NV[assigned.train_N].any(axis=0)
        kept_F[places] = kept
        found.append((name, tuple(v for v, k in zip(values, kept, strict=True) if k)))
        strange = [v for v, k in zip(values, kept, strict=True) if not k]
        if strange:
            warnings.append(_told(name, int(seen_NV[:, ~kept].sum()), strange))
    if kept_F.all():
        return sequences, layout
    observed_NF = sequences.observed_NF
    sequences = replace(
        sequences,
        values_NF=sequences.values_NF[:, kept_F],
        observed_NF=None if observed_NF is None else observed_NF[:, kept_F],
    )
    return sequences, replace(layout, derived=replace(layout.derived, categories=tuple(found)))


def _told(name: str, count: int, values: Sequence[str]) -> str:
    return (
        f"{count:,} rows hold a value of {name!r} that no training row has, read as none: "
        f"{join_some(map(repr, values))} [data/unknown-category]"
    )
