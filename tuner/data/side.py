"""What stands beside each sequence as a whole: numbers that are constant in it, and a picture.

N rows   S sequences   X numbers, then pixels row by row
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import pyarrow as pa

from tuner.data import columns, pictures
from tuner.data.files import MAX_DECODED
from tuner.data.layout import Layout
from tuner.data.sequences import Sequences
from tuner.data.splits import TRAIN, Assigned
from tuner.errors import Mistake


def read(sequences: Sequences, layout: Layout, mistakes: list[Mistake]) -> np.ndarray | None:
    """side_SX, float32, numbers not yet scaled; None where nothing stands beside sequences.

    A number that `data/missing` leaves open is NaN.
    """
    blocks = [_numbers(sequences, name, layout, mistakes)[:, None] for name in layout.static]
    if layout.side_picture is not None:
        blocks.append(_pixels(sequences, layout.side_picture.path, mistakes))
    return np.concatenate(blocks, axis=1) if blocks else None


def check(
    side_SX: np.ndarray | None,
    names: Sequence[str],
    assigned: Assigned,
    mistakes: list[Mistake],
    warnings: list[str],
) -> None:
    """Refuses numbers that no training sequence has; warns of those that are always the same."""
    for number, name in enumerate(names if side_SX is not None else ()):
        assert side_SX is not None
        x_S = side_SX[assigned.split_S == TRAIN, number]
        x_S = x_S[~np.isnan(x_S)]
        if not len(x_S):
            mistakes.append(
                Mistake(
                    code="data/all-missing",
                    rule=f"column {name!r} must hold a number for some training sequence",
                    where="the train split",
                    got="none",
                    fix="Leave the column out of `data/static`.",
                )
            )
        elif x_S.min() == x_S.max():
            warnings.append(f"column {name!r} is {x_S[0]:g} in all training rows [data/constant]")


def _numbers(
    sequences: Sequences, name: str, layout: Layout, mistakes: list[Mistake]
) -> np.ndarray:
    """The number of each sequence in one column."""
    before = len(mistakes)
    each = [columns.to_numbers(table, name, mistakes) for table in sequences.tables]
    value_N: np.ndarray = np.concatenate(each)[sequences.row_N]
    absent_N = np.isnan(value_N)
    # What is constant cannot be carried on, and a row that is dropped would be all of them.
    if layout.missing in ("error", "drop") and absent_N.any() and len(mistakes) == before:
        mistakes.append(
            Mistake(
                code="data/missing-value",
                rule=f"column {name!r} of `data/static` must be complete unless `data/missing` "
                "fills it",
                where=sequences.where(np.flatnonzero(absent_N)),
                got=f"{int(absent_N.sum()):,} missing",
                fix="Fill them, or set `missing: mean` or `zero`.",
            )
        )
    # The first one that is there, if any is.
    place_N = np.where(absent_N, len(value_N), np.arange(len(value_N)))
    first_S = np.minimum.reduceat(place_N, sequences.offset_S)
    found_S: np.ndarray = np.append(value_N, np.float32(np.nan))[first_S]
    first_N = np.repeat(found_S, sequences.length_S)
    other = np.flatnonzero(~absent_N & (value_N != first_N))
    if len(other):
        mistakes.append(_varies(sequences, name, "number", other))
    return np.nan_to_num(found_S, nan=0.0) if layout.missing == "zero" else found_S


def _pixels(sequences: Sequences, name: str, mistakes: list[Mistake]) -> np.ndarray:
    """The pixels of each sequence's picture, which all its rows name."""
    chunks = [table.columns.column(name).cast(pa.string()).chunks for table in sequences.tables]
    # As they are written: a file's name is not trimmed, as that of a class is.
    texts_N = pa.chunked_array(chain.from_iterable(chunks), pa.string()).combine_chunks()
    texts_N = texts_N.dictionary_encode()
    code_N = texts_N.indices.to_numpy()[sequences.row_N]
    other = np.flatnonzero(code_N != np.repeat(code_N[sequences.offset_S], sequences.length_S))
    if len(other):
        mistakes.append(_varies(sequences, name, "picture", other))
    names = texts_N.dictionary.to_pylist()
    some = next(iter(sequences.tables[0].pictures.values()))
    if some.nbytes * len(sequences.offset_S) > MAX_DECODED:
        mistakes.append(pictures.too_much(f"data/picture, {len(sequences.offset_S):,} sequences"))
        return np.empty((len(sequences.offset_S), 0), dtype=np.float32)
    owner_S = sequences.file_N[sequences.offset_S]
    pixels = [
        sequences.tables[owner].pictures[names[code]].ravel()
        for owner, code in zip(owner_S, code_N[sequences.offset_S], strict=True)
    ]
    return np.stack(pixels)


def _varies(sequences: Sequences, name: str, what: str, other: np.ndarray) -> Mistake:
    return Mistake(
        code="data/static-varies",
        rule=f"column {name!r} must hold one {what} for each sequence, beside which it is read",
        where=sequences.where(other),
        got=f"{len(other):,} rows that differ from their sequence's first",
        fix="Mend them, or give each sequence its own id.",
    )
