"""The target columns of whole sequences, or of steps: one number or some for each.

N rows   S sequences   C targets
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuner.data import columns
from tuner.data.files import join_some
from tuner.data.sequences import Sequences
from tuner.errors import Mistake

_STRATA = 10


def read(
    sequences: Sequences, names: Sequence[str], mistakes: list[Mistake], *, complete: bool
) -> np.ndarray:
    """target_SC, float32: NaN where it is missing, a mistake if it must be `complete`."""
    return np.stack([_one(sequences, name, mistakes, complete) for name in names], axis=1)


def read_steps(
    sequences: Sequences, names: Sequence[str], mistakes: list[Mistake], *, complete: bool
) -> np.ndarray:
    """number_NC, float32: those of each step, as `read` reads those of sequences."""
    return np.stack([_column(sequences, name, mistakes, complete) for name in names], axis=1)


def _one(sequences: Sequences, name: str, mistakes: list[Mistake], complete: bool) -> np.ndarray:
    value_N = _column(sequences, name, mistakes, complete)
    first_S: np.ndarray = value_N[sequences.offset_S]
    first_N = np.repeat(first_S, sequences.length_S)
    other = np.flatnonzero((value_N != first_N) & ~np.isnan(value_N) & ~np.isnan(first_N))
    if len(other):
        mistakes.append(
            Mistake(
                code="data/target-varies",
                rule=f"target column {name!r} must hold one number per sequence",
                where=sequences.where(other),
                got=f"{len(other):,} rows that differ from their sequence's first",
                fix="Give each sequence its own id, or forecast the column instead.",
            )
        )
    return first_S


def _column(sequences: Sequences, name: str, mistakes: list[Mistake], complete: bool) -> np.ndarray:
    """A number for each step."""
    before = len(mistakes)
    each = [columns.to_numbers(table, name, mistakes) for table in sequences.tables]
    value_N: np.ndarray = np.concatenate(each)[sequences.row_N]
    absent = np.flatnonzero(np.isnan(value_N))
    if complete and len(absent) and len(mistakes) == before:
        mistakes.append(
            Mistake(
                code="data/missing-target",
                rule=f"target column {name!r} must be complete",
                where=sequences.where(absent),
                got=f"{len(absent):,} missing",
                fix="Fill them in or remove their sequences.",
            )
        )
    return value_N


def check(
    sequences: Sequences,
    target_SC: np.ndarray,
    names: Sequence[str],
    train_S: np.ndarray,
    mistakes: list[Mistake],
    warnings: list[str],
) -> None:
    """Refuses targets that are always the same; warns of targets that stand among the inputs."""
    for name, target_S in zip(names, target_SC.T, strict=True):
        train = target_S[train_S]
        if len(train) and train.min() == train.max():
            mistakes.append(
                Mistake(
                    code="data/constant-target",
                    rule=f"target column {name!r} must differ between training sequences",
                    where="data/target",
                    got=f"{train[0]:g} for each",
                    fix="Check the target column.",
                )
            )
            continue
        target_N = np.repeat(target_S, sequences.length_S)
        told = [f for f, x_N in enumerate(sequences.values_NF.T) if np.array_equal(x_N, target_N)]
        if told:
            places = join_some(str(f + 1) for f in told)
            warnings.append(
                f"input {places} equals the target {name!r}: an input that is the answer "
                "[data/target-feature]"
            )


def strata(target_SC: np.ndarray) -> np.ndarray:
    """int32: the decile of each sequence's first target, by which splits are made alike."""
    order_S = np.argsort(target_SC[:, 0], kind="stable")
    decile_S = np.empty(len(order_S), dtype=np.int32)
    decile_S[order_S] = np.arange(len(order_S)) * _STRATA // len(order_S)
    return decile_S
