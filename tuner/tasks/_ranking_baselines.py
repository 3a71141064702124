"""Rankings without learning: by how popular items are, and by what followed on the last one.

R targets   P pairs of a target and an item that its history held   Q pairs of a target and an item
that followed on its last one in training   V ids of items
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuner.data.ids import FIRST
from tuner.tasks._ranking_scores import gains


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What is to be ranked, and among what."""

    last_R: np.ndarray
    """The item before each target."""
    item_R: np.ndarray
    seen_P: np.ndarray
    """Keys, target · V + item, of what may not be named; sorted, each once."""


class Counts:
    """What training rows hold.

    Args:
        count_V: how often each id; 0 for what is no item.
        key_N: before · V + after, of neighbours in a history.
    """

    def __init__(self, count_V: np.ndarray, key_N: np.ndarray) -> None:
        self._count_V = count_V
        self._size = len(count_V)
        self._keys, self._times = np.unique(key_N, return_counts=True)
        before = self._keys // self._size
        self._total_V = np.bincount(before, weights=self._times, minlength=self._size)
        self._kinds_V = np.bincount(before, minlength=self._size)
        self._share_V = (count_V + 1) / (count_V.sum() + self._size - FIRST)

    def popular(self, targets: Targets) -> list[float]:
        """The sums behind the metrics where the most frequent items are named."""
        share_R = self._share_V[targets.item_R]
        return self._sums(targets, self._rank(targets), share_R)

    def following(self, targets: Targets) -> list[float]:
        """The same where those are named first that followed on the last item most often.

        Their shares are those of Witten and Bell (1991), as of pairs of tokens.
        """
        item_R, count_V, size = targets.item_R, self._count_V, self._size
        begin_R = np.searchsorted(self._keys, targets.last_R * size)
        num_R = np.searchsorted(self._keys, (targets.last_R + 1) * size) - begin_R
        row_Q = np.repeat(np.arange(len(item_R)), num_R)
        place_Q = np.repeat(begin_R - np.cumsum(num_R) + num_R, num_R) + np.arange(len(row_Q))
        item_Q, times_Q = self._keys[place_Q] % size, self._times[place_Q]
        own_Q = item_Q == item_R[row_Q]
        own_R = np.bincount(row_Q[own_Q], weights=times_Q[own_Q], minlength=len(item_R))
        free_Q = ~own_Q & (item_Q >= FIRST) & ~np.isin(row_Q * size + item_Q, targets.seen_P)
        common_Q = free_Q & (count_V[item_Q] >= count_V[item_R[row_Q]])
        oftener_Q = free_Q & (times_Q > own_R[row_Q])
        alike_Q = common_Q & (times_Q == own_R[row_Q])

        def each(chosen_Q: np.ndarray) -> np.ndarray:
            return np.bincount(row_Q[chosen_Q], minlength=len(item_R))

        # What never followed stands behind all that did, by how popular it is.
        others_R = self._rank(targets) - 1 - each(common_Q)
        rank_R = 1 + each(oftener_Q | alike_Q) + np.where(own_R > 0, 0, others_R)
        kinds_R, total_R = self._kinds_V[targets.last_R], self._total_V[targets.last_R]
        share_R = self._share_V[item_R]
        pair_R = (own_R + kinds_R * share_R) / np.maximum(total_R + kinds_R, 1)
        return self._sums(targets, rank_R, np.where(kinds_R > 0, pair_R, share_R))

    def _rank(self, targets: Targets) -> np.ndarray:
        """By popularity, among what was not seen; equal counts stand before the target."""
        count_V, item_R = self._count_V, targets.item_R
        ascending = np.sort(count_V[FIRST:])
        rank_R = len(ascending) - np.searchsorted(ascending, count_V[item_R])
        row_P, item_P = np.divmod(targets.seen_P, self._size)
        common_P = (item_P >= FIRST) & (count_V[item_P] >= count_V[item_R[row_P]])
        found_R: np.ndarray = rank_R - np.bincount(row_P[common_P], minlength=len(item_R))
        return found_R

    def _sums(self, targets: Targets, rank_R: np.ndarray, share_R: np.ndarray) -> list[float]:
        known_R = targets.item_R >= FIRST
        own_R = np.arange(len(rank_R)) * self._size + targets.item_R
        candidate_R = known_R & ~np.isin(own_R, targets.seen_P)
        placed_R = np.where(candidate_R, np.maximum(rank_R, 1), np.inf)
        gained = [float(np.sum(gain)) for gain in gains(placed_R, np.log2(placed_R + 1))]
        loss = -float(np.log(share_R[known_R]).sum())
        return [*gained, loss, float(known_R.sum()), float(len(rank_R)), 0.0]
