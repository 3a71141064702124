"""The label column: one class for each sequence."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tuner.data import columns
from tuner.data.files import join_some
from tuner.data.sequences import Sequences
from tuner.errors import Mistake

_WHOLE = re.compile(r"[-+]?[0-9]+")
_DECIMAL = re.compile(r"[-+]?[0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)?")


def read(
    sequences: Sequences,
    name: str,
    mistakes: list[Mistake],
    *,
    complete: bool,
    what: str = "label",
) -> list[str | None]:
    """The label of each sequence; None where it is missing, a mistake if it must be `complete`.

    Args:
        what: the column holds, in a word; a `group` is read as labels are.
    """
    label_N = columns.to_texts(sequences.tables, name)
    code_N = label_N.indices.fill_null(-1).to_numpy()[sequences.row_N]
    absent = np.flatnonzero(code_N < 0)
    if complete and len(absent):
        mistakes.append(
            Mistake(
                code=f"data/missing-{what}",
                rule=f"{what} column {name!r} must be complete",
                where=sequences.where(absent),
                got=f"{len(absent):,} missing",
                fix="Label the rows or remove their sequences.",
            )
        )
    first_N = np.repeat(code_N[sequences.offset_S], sequences.length_S)
    other = np.flatnonzero((code_N != first_N) & (code_N >= 0) & (first_N >= 0))
    if len(other):
        mistakes.append(
            Mistake(
                code=f"data/{what}-varies",
                rule=f"{what} column {name!r} must hold one {what} per sequence",
                where=sequences.where(other),
                got=f"{len(other):,} rows that differ from their sequence's first",
                fix=f"Give each sequence its own id, or one {what}.",
            )
        )
    first_S = pa.array(sequences.row_N[sequences.offset_S])
    label_S: list[str | None] = label_N.take(first_S).to_pylist()
    return label_S


def classes(label_S: Sequence[str | None], name: str, mistakes: list[Mistake]) -> list[str]:
    """The classes in the order of their numbers: whole numbers by value, texts by alphabet."""
    names = sorted({label for label in label_S if label is not None})
    whole = [label for label in names if _WHOLE.fullmatch(label)]
    decimal = [label for label in names if _DECIMAL.fullmatch(label)]
    texts = [repr(label) for label in names if label not in {*whole, *decimal}]
    problem = None
    if decimal and not texts:
        problem = "labels", f"measurements such as {join_some(decimal)}"
    elif texts and (whole or decimal):
        problem = "mixed-labels", f"{join_some(whole or decimal)} beside {join_some(texts)}"
    if problem:
        mistakes.append(
            Mistake(
                code=f"data/{problem[0]}",
                rule=f"label column {name!r} must hold whole numbers only, or texts only",
                where="data/target",
                got=problem[1],
                fix="Take `task: regression` for numbers, spell all labels in one way, or name "
                "another column.",
            )
        )
    return names if problem or not whole else sorted(names, key=int)


def numbered(label_S: Sequence[str | None], known: Sequence[str]) -> np.ndarray:
    """int32: the class of each sequence; -1 without one that is known."""
    numbers: dict[str | None, int] = {label: number for number, label in enumerate(known)}
    return np.array([numbers.get(label, -1) for label in label_S], dtype=np.int32)
