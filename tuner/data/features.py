"""What the features must hold once the splits are known, and what about them is suspicious.

N rows   F features   C classes
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuner.data.files import join_some
from tuner.data.layout import Layout
from tuner.data.sequences import Sequences
from tuner.data.splits import Assigned
from tuner.errors import Mistake

_HEAD = 1000
"""Training rows within which most features vary; the others are looked at as a whole."""


def check(
    sequences: Sequences,
    layout: Layout,
    label_S: np.ndarray,
    assigned: Assigned,
    mistakes: list[Mistake],
    warnings: list[str],
) -> None:
    """Refuses what cannot be fitted or scored; warns of constants and of answers among inputs."""
    names = layout.names
    values_NF = sequences.values_NF
    # Extremes pass over NaN, and are NaN only where there is nothing else.
    head_NF = values_NF[np.flatnonzero(assigned.train_N)[:_HEAD]]
    varies_F = np.fmin.reduce(head_NF) < np.fmax.reduce(head_NF)
    for f in np.flatnonzero(~varies_F):
        name, train_N = names[f], values_NF[:, f][assigned.train_N]
        low, high = np.fmin.reduce(train_N), np.fmax.reduce(train_N)
        if np.isnan(low):
            mistakes.append(
                Mistake(
                    code="data/all-missing",
                    rule=f"column {name!r} must hold a number in some training row",
                    where="the train split",
                    got="none",
                    fix="Leave the column out of `data/features`.",
                )
            )
        elif low == high and layout.pixels is None:
            warnings.append(f"column {name!r} is {low:g} in all training rows [data/constant]")
    if layout.label:
        if told := [names[f] for f in _telling(sequences, label_S)]:
            warnings.append(
                f"each value of {join_some(map(repr, told))} stands for one label: an input that "
                "is the answer [data/target-feature]"
            )
    for twin, target in _twins(values_NF, names, layout.channels or ()):
        warnings.append(f"column {twin!r} equals the target {target!r} [data/target-feature]")
    _refuse_unobserved(sequences, layout, assigned, mistakes)


def _telling(sequences: Sequences, label_S: np.ndarray) -> list[int]:
    """Features that are constant within each class and differ between classes."""
    first_SF = sequences.values_NF[sequences.offset_S]
    first_C = np.unique(label_S, return_index=True)[1]
    if len(first_C) < 2:
        return []
    told = []
    for f in range(first_SF.shape[1]):
        value_C = first_SF[first_C, f]
        # First steps first: few features agree there, and only those are compared as a whole.
        if len(np.unique(value_C)) == len(first_C) and (value_C[label_S] == first_SF[:, f]).all():
            value_N = np.repeat(value_C[label_S], sequences.length_S)
            if (value_N == sequences.values_NF[:, f]).all():
                told.append(f)
    return told


def _twins(
    values_NF: np.ndarray, names: Sequence[str], channels: Sequence[str]
) -> list[tuple[str, str]]:
    """Pairs of another feature and a target of the very same values."""
    owners: dict[bytes, list[int]] = {}
    for f in range(values_NF.shape[1] if channels else 0):
        # Ends and middle first: only columns that agree there are compared as a whole.
        probe = values_NF[[0, len(values_NF) // 2, -1], f].tobytes()
        owners.setdefault(probe, []).append(f)
    pairs = []
    for alike in owners.values():
        for place, f in enumerate(alike):
            for other in alike[:place]:
                if np.array_equal(values_NF[:, f], values_NF[:, other], equal_nan=True):
                    targets = [n for n in (names[other], names[f]) if n in channels]
                    twin = names[f] if targets[:1] == [names[other]] else names[other]
                    pairs += [(twin, targets[0])] if targets else []
                    break
    return pairs


def _refuse_unobserved(
    sequences: Sequences, layout: Layout, assigned: Assigned, mistakes: list[Mistake]
) -> None:
    """A split of series whose targets are all missing has no score."""
    if sequences.observed_NF is None or not layout.channels or not layout.features:
        return
    targets = [layout.features.index(name) for name in layout.channels]
    observed_N = sequences.observed_NF[:, targets].any(axis=1)
    seen_N = np.concatenate([[0], np.cumsum(observed_N)])
    for name in ("validation", "test"):
        start_S = sequences.offset_S + assigned.bounds[f"{name}_start"]
        end_S = sequences.offset_S + assigned.bounds[f"{name}_end"]
        if (end_S > start_S).any() and (seen_N[end_S] == seen_N[start_S]).all():
            mistakes.append(
                Mistake(
                    code="data/missing-target",
                    rule=f"the {name} split must hold values to compare forecasts with",
                    where=f"the {name} split",
                    got=f"none of {join_some(map(repr, layout.channels))}",
                    fix="Choose other spans.",
                )
            )
