"""What grouped and split data must hold before anything learns from it."""

from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np

from tuner.data import origins
from tuner.data.answers import Answers
from tuner.data.card import SPLITS, TaskData
from tuner.data.config import DataConfig, Folds, Origins
from tuner.data.files import join_some
from tuner.data.sequences import Sequences
from tuner.data.splits import TEST, TRAIN, VALIDATION, Assigned
from tuner.errors import Mistake

_MAX_SHARED = 0.01
"""Share of a split's sequences that may be found in the training split, too."""


def check_classes(
    answers: Answers,
    sequences: Sequences,
    assigned: Assigned,
    config: DataConfig,
    mistakes: list[Mistake],
    warnings: list[str],
) -> None:
    """Refuses classes that nobody could learn."""
    split_S, labels = assigned.split_S, answers.names
    if len(labels) < 2:
        mistakes.append(
            _mistake(
                "single-class",
                "labels must be of two classes or more",
                "data/target",
                f"only {join_some(map(repr, labels))}",
                "Check the label column.",
            )
        )
    num_folds = config.validation.folds if isinstance(config.validation, Folds) else 0
    split_N = np.repeat(split_S, sequences.length_S)
    train = answers.of(split_S == TRAIN, split_N == TRAIN)
    trained = set(train.tolist())
    for split in (VALIDATION, TEST):
        found = answers.of(split_S == split, split_N == split)
        unseen = sorted(set(found.tolist()) - trained)
        if unseen and trained:
            mistakes.append(
                _mistake(
                    "unseen-class",
                    f"every class of the {SPLITS[split]} split must be in the training split",
                    f"the {SPLITS[split]} split",
                    join_some(repr(labels[i]) for i in unseen),
                    "Add training sequences of it, or remove these.",
                )
            )
    counts_C = np.bincount(train, minlength=len(labels))
    rare = [labels[int(i)] for i in np.flatnonzero((counts_C > 0) & (counts_C < num_folds))]
    if rare:
        warnings.append(
            f"classes with fewer sequences than the {num_folds} folds, which some folds lack: "
            f"{join_some(map(repr, rare))} [data/rare-class]"
        )


def check_sequences(
    sequences: Sequences,
    assigned: Assigned,
    task: TaskData,
    config: DataConfig,
    side_SX: np.ndarray | None,
    mistakes: list[Mistake],
    warnings: list[str],
) -> None:
    """Refuses splits that are empty, or share ids or rows; lines of a stream may come again."""
    split_S = assigned.split_S
    num_folds = config.validation.folds if isinstance(config.validation, Folds) else 0
    wanted = [TRAIN, *([] if num_folds else [VALIDATION]), *([TEST] if config.test else [])]
    for split in wanted:
        if not (split_S == split).any():
            mistakes.append(
                _mistake(
                    "empty-split",
                    f"the {SPLITS[split]} split must hold sequences",
                    f"the {SPLITS[split]} split",
                    "none",
                    "Give it more data, or choose another split.",
                )
            )
    if 0 < (split_S == TRAIN).sum() < num_folds:
        mistakes.append(
            _mistake(
                "empty-split",
                f"each of {num_folds} folds must hold sequences",
                "data/validation",
                f"{(split_S == TRAIN).sum()} training sequences",
                "Take fewer folds.",
            )
        )
    _refuse_shared_ids(sequences, split_S, mistakes)
    if task.target != "none":
        shared = _shared_rows(sequences, assigned, side_SX)
        if config.duplicates == "warn":
            warnings += [f"{m.where} shares sequences: {m.got} [{m.code}]" for m in shared]
        else:
            mistakes += shared


def check_series(
    sequences: Sequences,
    assigned: Assigned,
    task: TaskData,
    config: DataConfig,
    mistakes: list[Mistake],
    warnings: list[str],
) -> None:
    """Refuses splits without room for a single window, or in the wrong order."""
    bounds = assigned.bounds
    horizon = task.horizon
    needed = [
        ("train", bounds["train_end"], horizon + 1),
        ("validation", bounds["validation_end"] - bounds["validation_start"], horizon),
    ]
    if isinstance(config.validation, Origins):
        end_S, start_S, stop_S = origins.spans(
            bounds["train_end"], config.validation.origins, 0, horizon
        )
        needed = [
            ("first origin's train", end_S, horizon + 1),
            ("validation", stop_S - start_S, horizon),
        ]
    if config.test is not None:
        needed.append(("test", bounds["test_end"] - bounds["test_start"], horizon))
        if (bounds["test_start"] < bounds["validation_end"]).any():
            mistakes.append(
                _mistake(
                    "split-order",
                    "the test split must begin where validation has ended",
                    "data/test",
                    "one that begins earlier",
                    "Give validation an `until`, or move the test span.",
                )
            )
    for name, length_S, minimum in needed:
        short = np.flatnonzero(length_S < minimum)
        if len(short) == len(length_S):
            mistakes.append(
                _mistake(
                    "too-short",
                    f"the {name} split of some series must have {minimum} rows or more for a "
                    f"horizon of {horizon}",
                    f"the {name} split",
                    f"at most {int(length_S.max(initial=0))} rows",
                    "Give that split more rows, or shorten `horizon`.",
                )
            )
        elif len(short):
            names = join_some(sequences.name(int(s)) for s in short)
            warnings.append(
                f"{len(short):,} of {len(length_S):,} series are too short for a window in the "
                f"{name} split: {names} [data/short-series]"
            )


def _refuse_shared_ids(sequences: Sequences, split_S: np.ndarray, mistakes: list[Mistake]) -> None:
    """An id in two splits; without times, an id in two files, whose order nobody knows."""
    codes_S = sequences.ids.dictionary_encode().indices.to_numpy()
    order_S = np.argsort(codes_S, kind="stable")
    same_S = np.diff(codes_S[order_S], prepend=-1) == 0
    # Groups stand apart by the split of their file, so that one id makes two sequences.
    shared = order_S[same_S]
    if len(shared):
        mistakes.append(
            _mistake(
                "shared-id",
                "a sequence must be in one split only",
                sequences.where(sequences.offset_S[shared]),
                f"{len(shared):,} ids of other files: "
                + join_some(sequences.name(int(s)) for s in shared),
                "Remove the copies, or give other sequences other ids.",
            )
        )
    if sequences.clock is not None or len(sequences.tables) == 1:
        return
    file_N = sequences.file_N
    inner_N = np.ones(len(file_N), dtype=bool)
    inner_N[sequences.offset_S] = False
    joined = np.flatnonzero(inner_N & (np.diff(file_N, prepend=-1) != 0))
    if len(joined):
        mistakes.append(
            _mistake(
                "joined-files",
                "a sequence must be in one file unless `data/time` orders its rows",
                sequences.where(joined),
                f"{len(joined):,} sequences that begin in another file",
                "Name the time column, or give other sequences other ids.",
            )
        )


def _shared_rows(
    sequences: Sequences, assigned: Assigned, side_SX: np.ndarray | None
) -> list[Mistake]:
    """Whole sequences whose values, and those beside them, are found again where they are to be
    predicted.
    """
    content_N = np.ascontiguousarray(sequences.content_N)
    heads = [head.tobytes() for head in content_N[sequences.offset_S]]
    times = Counter(heads)
    # A sequence whose first step is found nowhere else is found nowhere else itself.
    digests = [
        head
        if times[head] == 1
        else hashlib.blake2b(content_N[start : start + length].data, digest_size=16).digest()
        for head, start, length in zip(heads, sequences.offset_S, sequences.length_S, strict=True)
    ]
    if side_SX is not None:
        beside = (hashlib.blake2b(side_X.tobytes(), digest_size=16).digest() for side_X in side_SX)
        digests = [digest + more for digest, more in zip(digests, beside, strict=True)]
    split_S, fold_S = assigned.split_S, assigned.fold_S
    found = []
    groups = [(f"the {SPLITS[s]} split", split_S == s, split_S == TRAIN) for s in (1, 2)]
    for fold in range(int(fold_S.max(initial=-1)) + 1):
        others_S = (fold_S >= 0) & (fold_S != fold)
        groups.append((f"fold {fold}", fold_S == fold, others_S))
    for where, scored_S, learned_S in groups:
        learned = {digests[s] for s in np.flatnonzero(learned_S)}
        members = np.flatnonzero(scored_S)
        shared = [s for s in members if digests[s] in learned]
        names = join_some(sequences.name(int(s)) for s in shared)
        if len(shared) > _MAX_SHARED * len(members):
            found.append(
                _mistake(
                    "shared-rows",
                    f"at most {_MAX_SHARED:.0%} of the sequences to predict may equal sequences "
                    "to learn from",
                    where,
                    f"{len(shared):,} of {len(members):,}: {names}",
                    "Remove the copies: they are scored on what was learned by heart. For a "
                    "published split that holds them, set `duplicates: warn`.",
                )
            )
    return found


def _mistake(code: str, rule: str, where: str, got: str, fix: str) -> Mistake:
    return Mistake(code=f"data/{code}", rule=rule, where=where, got=got, fix=fix)
