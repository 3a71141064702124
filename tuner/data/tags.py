"""The label column where every step has a label of its own: a tag."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuner.data import columns
from tuner.data.sequences import Sequences
from tuner.errors import Mistake


def read(
    sequences: Sequences, name: str, mistakes: list[Mistake], *, complete: bool
) -> tuple[np.ndarray, list[str]]:
    """The tag of each step as a place in a list of tags; -1 where it is missing."""
    texts_N = columns.to_texts(sequences.tables, name)
    tag_N = texts_N.indices.fill_null(-1).to_numpy()[sequences.row_N]
    absent = np.flatnonzero(tag_N < 0)
    if complete and len(absent):
        mistakes.append(
            Mistake(
                code="data/missing-label",
                rule=f"tag column {name!r} must be complete",
                where=sequences.where(absent),
                got=f"{len(absent):,} missing",
                fix="Tag the rows or remove their sequences.",
            )
        )
    return tag_N, texts_N.dictionary.to_pylist()


def numbered(tag_N: np.ndarray, spelled: Sequence[str], known: Sequence[str]) -> np.ndarray:
    """int32: the place of each step's tag among those that are known; -1 without one."""
    numbers = {tag: number for number, tag in enumerate(known)}
    number_V = np.array([*(numbers.get(tag, -1) for tag in spelled), -1], dtype=np.int32)
    numbered_N: np.ndarray = number_V[tag_N]
    return numbered_N
