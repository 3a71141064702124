"""Splits that tear no group of sequences apart, such as the recordings of one speaker.

S sequences   G groups   K strata   B parts of a split
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuner.data.card import SPLITS
from tuner.data.config import DataConfig, Folds
from tuner.data.files import join_some
from tuner.errors import Mistake

if TYPE_CHECKING:
    from tuner.data.splits import Assigned


def part(
    split_S: np.ndarray, stratum_S: np.ndarray, group_S: np.ndarray, config: DataConfig, seed: int
) -> np.ndarray:
    """Takes the shares of a spec out of the training sequences, in place, by whole groups.

    Args:
        split_S: as files and spans of time have placed each sequence.
        stratum_S: from 0; what parts are to hold as the whole does.

    Returns:
        int8: fold of each training sequence; -1 without folds.
    """
    chance = np.random.default_rng(seed)
    if not config.stratify:
        stratum_S = np.zeros_like(stratum_S)
    train, validation, test = range(len(SPLITS))
    rules = {validation: config.validation, test: config.test}
    taken = {split: float(r) for split, r in rules.items() if isinstance(r, float | int)}
    shares = {train: 1 - sum(taken.values()), **taken}
    free = np.flatnonzero(split_S == train)
    part_S = _parted(group_S[free], stratum_S[free], list(shares.values()), chance)
    split_S[free] = np.array(list(shares), dtype=np.int8)[part_S]
    fold_S = np.full(len(split_S), -1, dtype=np.int8)
    if isinstance(config.validation, Folds):
        num = config.validation.folds
        free = np.flatnonzero(split_S == train)
        fold_S[free] = _parted(group_S[free], stratum_S[free], [1 / num] * num, chance)
    return fold_S


def _parted(
    group_S: np.ndarray, stratum_S: np.ndarray, shares: Sequence[float], chance: np.random.Generator
) -> np.ndarray:
    """int8: a part for each sequence, the same for all of its group.

    The largest group first, each goes where it brings the parts nearest to their shares of every
    stratum, by chi-squared.

    Args:
        stratum_S: from 0.
        shares: of each part, together 1.
    """
    groups, member_S = np.unique(group_S, return_inverse=True)
    count_GK = np.zeros((len(groups), int(stratum_S.max(initial=0)) + 1))
    np.add.at(count_GK, (member_S, stratum_S), 1)
    goal_BK = np.outer(shares, count_GK.sum(axis=0))
    weight_BK = 1 / np.where(goal_BK > 0, goal_BK, np.inf)
    filled_BK = np.zeros_like(goal_BK)
    part_G = np.zeros(len(groups), dtype=np.int8)
    shuffled = chance.permutation(len(groups))
    for g in shuffled[np.argsort(-count_GK[shuffled].sum(axis=1), kind="stable")]:
        ahead_BK = filled_BK + count_GK[g] - goal_BK
        change_BK = (ahead_BK**2 - (filled_BK - goal_BK) ** 2) * weight_BK
        part_G[g] = best = int(change_BK.sum(axis=1).argmin())
        filled_BK[best] += count_GK[g]
    part_S: np.ndarray = part_G[member_S]
    return part_S


def check(
    group_S: np.ndarray,
    names: Sequence[str],
    assigned: Assigned,
    config: DataConfig,
    mistakes: list[Mistake],
) -> None:
    """Refuses files or spans of time that tear groups apart, and folds without a group."""
    split_of: dict[int, set[int]] = {}
    for group, split in zip(group_S.tolist(), assigned.split_S.tolist(), strict=True):
        if split >= 0:
            split_of.setdefault(group, set()).add(split)
    shared = sorted(group for group, splits in split_of.items() if len(splits) > 1)
    if shared:
        where = sorted({split for group in shared for split in split_of[group]})
        mistakes.append(
            Mistake(
                code="data/shared-group",
                rule="all sequences of a `data/group` must be in one split",
                where=f"the {' and '.join(SPLITS[split] for split in where)} splits",
                got=f"{len(shared):,} torn apart: {join_some(repr(names[g]) for g in shared)}",
                fix="Give the splits as shares or folds, or files without common groups.",
            )
        )
    num_trained = sum(0 in splits for splits in split_of.values())
    if isinstance(config.validation, Folds) and num_trained < config.validation.folds:
        mistakes.append(
            Mistake(
                code="data/empty-split",
                rule=f"each of {config.validation.folds} folds must hold a group",
                where="data/validation",
                got=f"{num_trained} groups of training sequences",
                fix="Take fewer folds, or another `data/group`.",
            )
        )
