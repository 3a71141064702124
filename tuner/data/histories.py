"""What histories of events must hold before anything learns which comes next.

S histories   N events
"""

from __future__ import annotations

import numpy as np

from tuner.data.config import DataConfig
from tuner.data.files import join_some
from tuner.data.sequences import Sequences
from tuner.data.splits import Assigned
from tuner.errors import Mistake


def check(
    sequences: Sequences,
    assigned: Assigned,
    config: DataConfig,
    mistakes: list[Mistake],
    warnings: list[str],
) -> None:
    """Refuses splits in which nothing follows on anything; tells what no model can get right."""
    bounds, place_N = assigned.bounds, _places(sequences)
    scored = ["validation", *(["test"] if config.test is not None else [])]
    if "test" in scored and (bounds["test_start"] < bounds["validation_end"]).any():
        mistakes.append(
            Mistake(
                code="data/split-order",
                rule="the test split must begin where validation has ended",
                where="data/test",
                got="one that begins earlier",
                fix="Give validation an `until`, or move the test span.",
            )
        )
    first_S = np.zeros_like(bounds["train_end"])
    spans = {"train": (first_S, bounds["train_end"])}
    for name in scored:
        spans[name] = bounds[f"{name}_start"], bounds[f"{name}_end"]
    for name, (start_S, end_S) in spans.items():
        if not (end_S > np.maximum(start_S, 1)).any():
            mistakes.append(
                Mistake(
                    code="data/too-short",
                    rule=f"the {name} split must hold an item that follows on another",
                    where=f"the {name} split",
                    got=f"{len(end_S):,} histories, the longest with {sequences.length_S.max():,}",
                    fix="Give longer histories, or hold out fewer of their last rows.",
                )
            )
    if mistakes:
        return
    short = np.flatnonzero(bounds["train_end"] < 2)
    if len(short):
        names = join_some(sequences.name(int(s)) for s in short[:5])
        warnings.append(
            f"{len(short):,} of {len(first_S):,} histories are too short to be learned from: "
            f"{names} [data/short-history]"
        )
    assert sequences.token_N is not None
    trained_V = np.zeros(len(sequences.forms), dtype=bool)
    trained_V[sequences.token_N[assigned.train_N]] = True
    again_N = _again(sequences)
    for name in scored:
        start_S, end_S = spans[name]
        start_N, end_N = (np.repeat(each, sequences.length_S) for each in (start_S, end_S))
        scored_N = (place_N >= np.maximum(start_N, 1)) & (place_N < end_N)
        missed = "so that they count as missed"
        for code, what, bad_N in (
            ("unseen-item", f"are in no training row, {missed}", ~trained_V[sequences.token_N]),
            ("repeats", f"came before, {missed} unless `task/repeats` is true", again_N),
        ):
            if num := int((scored_N & bad_N).sum()):
                warnings.append(
                    f"{num:,} of {int(scored_N.sum()):,} items to predict in the {name} split "
                    f"{what} [data/{code}]"
                )


def _places(sequences: Sequences) -> np.ndarray:
    """Of each event in its history."""
    offset_N = np.repeat(sequences.offset_S, sequences.length_S)
    place_N: np.ndarray = np.arange(len(offset_N)) - offset_N
    return place_N


def _again(sequences: Sequences) -> np.ndarray:
    """Whether the item of an event came before in its history."""
    assert sequences.token_N is not None
    history_N = np.repeat(np.arange(len(sequences.length_S)), sequences.length_S)
    key_N = history_N * len(sequences.forms) + sequences.token_N
    again_N = np.ones(len(key_N), dtype=bool)
    again_N[np.unique(key_N, return_index=True)[1]] = False
    return again_N
