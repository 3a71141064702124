"""Which rows train, which rank trials, which are scored once.

S sequences   N rows
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from tuner.data import grouping
from tuner.data.card import SPLITS
from tuner.data.config import DataConfig, Folds, Last, Origins, Span
from tuner.data.sequences import Sequences
from tuner.errors import Mistake

TRAIN, VALIDATION, TEST, NONE = 0, 1, 2, -1


@dataclass(frozen=True, eq=False)
class Assigned:
    """The split of every sequence, or the bounds inside every series."""

    split_S: np.ndarray
    """int8: place in `SPLITS`, -1 for a sequence of no split."""
    fold_S: np.ndarray
    """int8; -1 without folds."""
    bounds: Mapping[str, np.ndarray]
    """int32 row positions inside each series; empty for labelled sequences."""
    train_N: np.ndarray
    """Whether a row is a training row."""

    def over(self, sequences: Sequences) -> Assigned:
        """The same splits of the same sequences, whose steps are others."""
        return replace(self, train_N=np.repeat(self.split_S == TRAIN, sequences.length_S))


def by_sequence(
    sequences: Sequences,
    label_S: np.ndarray,
    config: DataConfig,
    seed: int,
    bad: list[Mistake],
    group_S: np.ndarray | None = None,
) -> Assigned:
    """Splits whole sequences, stratified by label; the order of the files does not matter.

    Args:
        label_S: class or stratum, from 0.
        group_S: of each sequence, where all sequences of a group must stay together.
    """
    split_S = sequences.split_N[sequences.offset_S].copy()
    spans = _spans(sequences, config, bad)
    if spans and sequences.clock is not None:
        first_S = sequences.clock.moments_N[sequences.offset_S]
        free_S = split_S == TRAIN
        split_S[free_S & (first_S >= min(after for after, _ in spans.values()))] = NONE
        for name, (after, until) in spans.items():
            split_S[free_S & (first_S >= after) & (first_S < until)] = SPLITS.index(name)
    if group_S is not None:
        fold_S = grouping.part(split_S, label_S, group_S, config, seed)
        return Assigned(split_S, fold_S, {}, np.repeat(split_S == TRAIN, sequences.length_S))
    order_S = _stratified(sequences, label_S if config.stratify else 0 * label_S, seed)
    num_shared = int((split_S == TRAIN).sum())
    for number, rule in ((TEST, config.test), (VALIDATION, config.validation)):
        if isinstance(rule, float | int):
            rest = order_S[split_S[order_S] == TRAIN]
            # A class keeps one sequence to be learned from.
            _, kept = np.unique(label_S[rest], return_index=True)
            # Both shares are of the same whole, whichever is taken first.
            split_S[_every(np.delete(rest, kept), round(rule * num_shared))] = number
    fold_S = np.full(len(split_S), -1, dtype=np.int8)
    if isinstance(config.validation, Folds):
        trained = order_S[split_S[order_S] == TRAIN]
        fold_S[trained] = np.arange(len(trained)) % config.validation.folds
    train_N = np.repeat(split_S == TRAIN, sequences.length_S)
    return Assigned(split_S, fold_S, {}, train_N)


def by_position(sequences: Sequences, config: DataConfig, bad: list[Mistake]) -> Assigned:
    """Cuts one stream: shares are taken from its end, test behind validation behind training.

    A share counts steps, and no sequence is cut in two.
    """
    for name, rule in (("validation", config.validation), ("test", config.test)):
        if isinstance(rule, Folds | Span):
            bad.append(
                Mistake(
                    code="data/stream-split",
                    rule=f"`data/{name}` of a stream must be files or a share like 0.1",
                    where=f"data/{name}",
                    got="folds" if isinstance(rule, Folds) else "a span of time",
                    fix="Give a share: the end of the training files is held out.",
                )
            )
    split_S = sequences.split_N[sequences.offset_S].copy()
    train = np.flatnonzero(split_S == TRAIN)
    behind = np.cumsum(sequences.length_S[train][::-1])[::-1]
    total, taken = int(behind[0]) if len(train) else 0, 0.0
    for number, rule in ((TEST, config.test), (VALIDATION, config.validation)):
        if isinstance(rule, float | int):
            inside = (behind <= (taken + rule) * total) & (split_S[train] == TRAIN)
            split_S[train[inside]] = number
            taken += rule
    none = np.full(len(split_S), -1, dtype=np.int8)
    return Assigned(split_S, none, {}, np.repeat(split_S == TRAIN, sequences.length_S))


def _stratified(sequences: Sequences, label_S: np.ndarray, seed: int) -> np.ndarray:
    """All sequences, by label, and at random within a label: every k-th one is a fair sample."""
    ids = np.asarray(sequences.ids.to_pylist(), dtype=object)
    by_id = np.argsort(ids, kind="stable")
    shuffled = by_id[np.random.default_rng(seed).permutation(len(by_id))]
    order_S: np.ndarray = shuffled[np.argsort(label_S[shuffled], kind="stable")]
    return order_S


def _every(order: np.ndarray, count: int) -> np.ndarray:
    """`count` evenly spaced entries."""
    if not len(order):
        return order
    marks = np.floor((np.arange(len(order)) + 1) * count / len(order))
    chosen: np.ndarray = order[np.diff(marks, prepend=0) > 0]
    return chosen


def by_time(sequences: Sequences, config: DataConfig, bad: list[Mistake]) -> Assigned:
    """Cuts every series or history into training, validation and test, in this order."""
    counts = [
        np.add.reduceat(sequences.split_N == split, sequences.offset_S, dtype=np.int64)
        for split in (TRAIN, VALIDATION, TEST)
    ]
    end = counts[TRAIN]
    ends = {
        "train": end,
        "validation": end + counts[VALIDATION],
        "test": counts[0] + counts[1] + counts[2],
    }
    starts = {"validation": end, "test": ends["validation"]}
    limit = end.copy()
    spans = _spans(sequences, config, bad)
    for name, rule in (("test", config.test), ("validation", config.validation)):
        if isinstance(rule, float | int):
            num_rows = np.round(rule * end).astype(np.int64)
            starts[name], ends[name] = np.maximum(limit - num_rows, 0), limit
        elif isinstance(rule, Last):
            starts[name], ends[name] = np.maximum(limit - rule.last, 0), limit
        elif name in spans:
            places = [_places(sequences, moment) for moment in spans[name]]
            starts[name], ends[name] = (np.minimum(place, limit) for place in places)
        elif isinstance(rule, Origins):
            # Folds take their spans from the training rows.
            starts[name] = ends[name] = limit
        else:
            continue
        limit = np.minimum(limit, starts[name])
    bounds = {
        "train_end": limit,
        "validation_start": starts["validation"],
        "validation_end": ends["validation"],
        "test_start": starts["test"],
        "test_end": ends["test"],
    }
    place_N = np.arange(len(sequences.row_N)) - np.repeat(sequences.offset_S, sequences.length_S)
    train_N = place_N < np.repeat(limit, sequences.length_S)
    num = len(sequences.offset_S)
    none = np.full(num, -1, dtype=np.int8)
    cut = {name: array.astype(np.int32) for name, array in bounds.items()}
    return Assigned(np.zeros(num, dtype=np.int8), none, cut, train_N)


def _places(sequences: Sequences, moment: float) -> np.ndarray:
    """How many rows of each series lie before a moment."""
    assert sequences.clock is not None
    before_N = sequences.clock.moments_N < moment
    return np.add.reduceat(before_N, sequences.offset_S, dtype=np.int64)


def _spans(
    sequences: Sequences, config: DataConfig, bad: list[Mistake]
) -> dict[str, tuple[float, float]]:
    """First moments inside and beyond each span of the spec, in the order of `SPLITS`."""
    found = {}
    for name, rule in (("validation", config.validation), ("test", config.test)):
        if isinstance(rule, Span) and (limits := _moments(sequences, rule, name, bad)):
            found[name] = limits
    if len(found) == 2:
        (begin, end), (later, _) = found["validation"], found["test"]
        overlaps = isinstance(config.validation, Span) and config.validation.until and end > later
        if begin >= later or overlaps:
            bad.append(
                Mistake(
                    code="data/split-order",
                    rule="the span of `data/validation` must end before that of `data/test` begins",
                    where="data/test",
                    got=f"{config.validation} and {config.test}",
                    fix="Move the test span, or leave `until` out of validation.",
                )
            )
        found["validation"] = begin, min(end, later)
    return found


def _moments(
    sequences: Sequences, span: Span, name: str, bad: list[Mistake]
) -> tuple[float, float] | None:
    where = f"data/{name}"
    if sequences.clock is None:
        bad.append(
            Mistake(
                code="data/no-time",
                rule="a span of time must come with `data/time`",
                where=where,
                got=repr(span.after),
                fix="Name the column of times as `data/time`, or give a share such as 0.2.",
            )
        )
        return None
    after = sequences.clock.moment(span.after, where, bad)
    until: float | None = np.inf
    if span.until is not None:
        until = sequences.clock.moment(span.until, where, bad)
    if after is None or until is None:
        return None
    if until <= after:
        bad.append(
            Mistake(
                code="data/span",
                rule="`until` must be later than `after`",
                where=where,
                got=f"{span.after!r} to {span.until!r}",
                fix="Swap or mend them.",
            )
        )
        return None
    return after, until
