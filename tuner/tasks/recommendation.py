"""The next item of a history: what a user buys, watches or reads after all that came before.

Every place of a history is learned from: what follows on each item is its target. A split is scored
at the places that it holds, each from all that came before it, over the ranking of all items that
the user has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from tuner.data.card import TaskData
from tuner.data.ids import FIRST
from tuner.models.shape import Shape
from tuner.part import Config as PartConfig
from tuner.plots.exhibits import Exhibit, Listing
from tuner.tasks import _exhibits, _ranking_scores
from tuner.tasks._base import Batch, Facts, Outputs, Run, Split, Task
from tuner.tasks._inputs import Reader, SequenceInputs
from tuner.tasks._ranking_baselines import Counts, Targets
from tuner.tasks._ranking_losses import Drawing, sampled_losses
from tuner.tasks._ranking_losses import RankingLossConfig as LossConfig
from tuner.tasks._tables import Table

if TYPE_CHECKING:
    from torch import Tensor

    from tuner.data.augmentations._chance import Chance
    from tuner.data.store import Steps, Store

METRICS = _ranking_scores.METRICS

AUGMENTED = frozenset({"values"})

CAUSAL = True
"""What predicts what it reads must not read ahead."""

SHIPPED = True
"""A loss that looks at few items needs a network that tells what its scores are made of."""

_LAST = 5
"""Items of a history that an exhibit names."""


class Config(PartConfig):
    """Options of the task."""

    name: Literal["recommendation"] = "recommendation"
    top: int = Field(default=10, ge=1)
    """Items that `tuner predict` names for each history."""
    repeats: bool = False
    """Whether an item may come again. Without it what a user has seen is never named, and counts as
    missed where it was true."""


class InputConfig(PartConfig):
    """How a history becomes an input."""

    history: int = Field(default=50, ge=1)
    """Most items that the model reads of a history: its last ones, or in training one piece of so
    many after another."""


def data(options: Config) -> TaskData:
    """Histories of items."""
    return TaskData(kind="history", target="next")


def create(
    options: Config, inputs: InputConfig, facts: Facts, losses: LossConfig | None = None
) -> Task:
    """Makes the task for one data set."""
    return Recommendation(options, inputs, facts, losses or LossConfig())


class Recommendation(Task):
    """Ranks all items at once by their scores.

    A row is four numbers: a history, the places in it where what is read begins and ends, and 1
    where only what follows on the end is asked for, 0 where what follows on each place is. Of the
    former the model reads no more than `data/history` items.
    """

    TIMED = frozenset({"inputs", "targets", "weights"})

    def __init__(
        self, options: Config, inputs: InputConfig, facts: Facts, losses: LossConfig
    ) -> None:
        self.options, self.inputs, self.facts, self.losses = options, inputs, facts, losses
        self.reader = Reader(SequenceInputs(), facts)
        self.num_inputs, self.vocabulary = 0, self.reader.vocabulary
        self.num_outputs = self.vocabulary
        count_W = np.asarray(facts.statistics.token_counts, dtype=np.int64)
        self._count_V = np.concatenate([np.zeros(FIRST, dtype=np.int64), count_W])
        self._drawing = Drawing(count_W, losses)
        self.draws = losses.name != "softmax"

    @property
    def shape(self) -> Shape:
        return replace(super().shape, following=True)

    def words(self) -> Sequence[str]:
        return self.reader.words()

    def rows(self, store: Store, split: Split, fold: int | None) -> np.ndarray:
        if split == "train":
            return self._pieces(store.bounds["train_end"].astype(np.int64) - 1)
        start_S = np.maximum(store.bounds[f"{split}_start"].astype(np.int64), 1)
        count_S = np.maximum(store.bounds[f"{split}_end"] - start_S, 0)
        history_R = np.repeat(np.arange(len(count_S)), count_S)
        first_R = np.repeat(np.cumsum(count_S) - count_S, count_S)
        end_R = start_S[history_R] + np.arange(len(history_R)) - first_R
        nothing = np.zeros_like(end_R)
        return np.stack([history_R, nothing, end_R, nothing + 1], axis=-1)

    def _pieces(self, count_S: np.ndarray) -> np.ndarray:
        """All places before an end as pieces, the last of each history a whole one."""
        most = self.inputs.history
        num_S = -(-np.maximum(count_S, 0) // most)
        history_R = np.repeat(np.arange(len(count_S)), num_S)
        place_R = np.arange(len(history_R)) - np.repeat(np.cumsum(num_S) - num_S, num_S)
        end_R = count_S[history_R] - (num_S[history_R] - 1 - place_R) * most
        return np.stack(
            [history_R, np.maximum(end_R - most, 0), end_R, np.zeros_like(end_R)], axis=-1
        )

    def batch(self, steps: Steps, rows: np.ndarray) -> Batch:
        history_B, _, end_B, asked_B = rows.T
        lengths_B = self.lengths(steps, rows)
        times_T = np.arange(max(int(lengths_B.max(initial=0)), 1))
        valid_BT = times_T < lengths_B[:, None]
        place_BT = (end_B - lengths_B)[:, None] + times_T
        offset_B1 = steps.offset_S[history_B][:, None]
        # A raw file ends with what nothing is known to follow on.
        follows_BT = valid_BT & (place_BT + 1 < steps.length_S[history_B][:, None])
        last_BT = times_T == lengths_B[:, None] - 1
        return Batch(
            inputs=self.reader.ids(steps, np.where(valid_BT, offset_B1 + place_BT, -1)),
            lengths=lengths_B,
            targets=self._ids(steps, np.where(follows_BT, offset_B1 + place_BT + 1, -1)),
            weights=(follows_BT & ((asked_B[:, None] == 0) | last_BT)).astype(np.float32),
            seen=self._seen(steps, rows) if asked_B.any() else None,
        )

    def _seen(self, steps: Steps, rows: np.ndarray) -> np.ndarray:
        """seen_BS int32: all that a history held, as wide for every batch; 0 behind its end."""
        place_S = np.arange(int(steps.length_S.max(initial=1)))
        index_BS = steps.offset_S[rows[:, 0]][:, None] + place_S
        before_BS = place_S < rows[:, 2][:, None]
        return self._ids(steps, np.where(before_BS, index_BS, -1)).astype(np.int32)

    def _ids(self, steps: Steps, index: np.ndarray) -> np.ndarray:
        return self.reader.ids(steps, index)[..., 0]

    def drawn(self, batch: Batch, chance: Chance) -> Batch:
        return replace(batch, negatives=self._drawing.draw(chance))

    def count(self, steps: Steps, rows: np.ndarray) -> int:
        return int(np.where(rows[:, 3] == 1, 1, rows[:, 2] - rows[:, 1]).sum())

    def lengths(self, steps: Steps, rows: np.ndarray) -> np.ndarray:
        lengths_R: np.ndarray = np.minimum(rows[:, 2] - rows[:, 1], self.inputs.history)
        return lengths_R

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        """Of the outputs in training: steps' vectors, items' vectors, and the items' biases."""
        import torch
        from torch.nn.functional import cross_entropy, linear

        h_BTJ, items_VJ, bias_V = outputs
        valid_BT = batch.weights > 0
        h_NJ, target_N = h_BTJ[valid_BT], batch.targets[valid_BT]
        if self.losses.name == "softmax":
            return cross_entropy(linear(h_NJ, items_VJ, bias_V), target_N, reduction="sum")
        drawn_BK = batch.negatives
        own_N = (h_NJ * items_VJ[target_N]).sum(dim=1) + bias_V[target_N]
        scores_BTK = h_BTJ @ items_VJ[drawn_BK].mT + bias_V[drawn_BK][:, None]
        row_N = valid_BT.nonzero()[:, 0]
        drawn_NK = drawn_BK[row_N]
        log_V = torch.from_numpy(self._drawing.log_V).to(own_N.device)
        losses_N = sampled_losses(
            self.losses.name,
            own_N,
            scores_BTK[valid_BT],
            drawn_NK == target_N[:, None],
            log_V[target_N],
            log_V[drawn_NK],
        )
        return losses_N.sum()

    def statistics(self, outputs: Outputs, batch: Batch) -> Tensor:
        import torch
        from torch.nn.functional import cross_entropy

        last_B1 = (batch.lengths - 1).clamp(min=0)[:, None]
        target_B = batch.targets.gather(1, last_B1)[:, 0]
        weights_B = batch.weights.gather(1, last_B1)[:, 0].double()
        scores_BV = outputs.clone()
        scores_BV[:, :FIRST] = -torch.inf
        if batch.seen is not None and not self.options.repeats:
            scores_BV.scatter_(1, batch.seen.long(), -torch.inf)
        own_B1 = scores_BV.gather(1, target_B[:, None])
        # Equal scores count against the model: all items alike is no ranking.
        rank_B = (scores_BV >= own_B1).sum(dim=1).double()
        rank_B = torch.where(own_B1[:, 0] > -torch.inf, rank_B, torch.inf)
        known_B = weights_B * (target_B >= FIRST)
        loss_B = cross_entropy(outputs, target_B, reduction="none").double()
        broken_B = (~torch.isfinite(outputs)).any(dim=1)
        gains = _ranking_scores.gains(rank_B, (rank_B + 1).log2())
        each = [*gains, loss_B.where(known_B > 0, 0.0), known_B, torch.ones_like(weights_B)]
        return torch.stack([(part * weights_B).sum() for part in [*each, broken_B]])

    def metrics(self, statistics: Sequence[float]) -> dict[str, float]:
        return _ranking_scores.metrics(statistics)

    def tables(self, statistics: Sequence[float]) -> dict[str, Table]:
        return {"ranks": _ranking_scores.ranks(statistics)}

    def exhibits(self, store: Store, rows: np.ndarray, run: Run) -> dict[str, Exhibit]:
        """What is named after some histories, and where the true item stands."""
        told = []
        for chunk in _exhibits.chunks(_exhibits.spread(rows, _exhibits.LISTED)):
            batch = self.batch(store, chunk)
            scores_BV = self._candidates(run(batch, None)[0], batch)
            named = ["–", "–", *self.words()]
            for b, (history, _, end, _) in enumerate(chunk.tolist()):
                offset = int(store.offset_S[history])
                *last, true = self._spelled(store, offset + max(end - _LAST, 0), offset + end + 1)
                own = scores_BV[b, batch.targets[b, batch.lengths[b] - 1]]
                rank = int((scores_BV[b] >= own).sum()) if np.isfinite(own) else 0
                best = named[int(scores_BV[b].argmax())]
                place = str(rank) if rank else "missed"
                told.append((store.ids[history], _exhibits.shortened(last), true, place, best))
        columns = ("id", "last items", "next item", "its rank", "named first")
        about = "Some histories, what followed on them, and what the model named first."
        return {"rankings": Listing(about=about, columns=columns, rows=tuple(told))}

    def baselines(
        self, store: Store, split: Split, fold: int | None
    ) -> dict[str, dict[str, float]]:
        """The items that are most popular in training rows, and that followed on the last one."""
        counts = Counts(self._count_V, self._neighbours(store))
        rows = self.rows(store, split, fold)
        end_R = store.offset_S[rows[:, 0]] + rows[:, 2]
        seen_P = np.zeros(0, dtype=np.int64)
        if not self.options.repeats:
            row_P, place_P = self._before(store, rows)
            seen_P = np.unique(row_P * self.vocabulary + self._ids(store, place_P))
        last_R, item_R = self._ids(store, end_R - 1), self._ids(store, end_R)
        targets = Targets(last_R=last_R, item_R=item_R, seen_P=seen_P)
        found = {"most popular": counts.popular(targets)}
        found["most often next"] = counts.following(targets)
        return {name: self.metrics(sums) for name, sums in found.items()}

    def _neighbours(self, store: Store) -> np.ndarray:
        """Items of training rows that follow on one another, before · V + after."""
        rows = self.rows(store, "train", None)
        row_P, place_P = self._before(store, rows)
        place_P = place_P[place_P >= (store.offset_S[rows[:, 0]] + rows[:, 1])[row_P]]
        keys: np.ndarray = self._ids(store, place_P) * self.vocabulary + self._ids(
            store, place_P + 1
        )
        return keys

    def _before(self, store: Store, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each place of a history before a row's end: the row's number, and the place of all."""
        before_R = rows[:, 2]
        row_P = np.repeat(np.arange(len(rows)), before_R)
        first_P = np.repeat(np.cumsum(before_R) - before_R, before_R)
        return row_P, store.offset_S[rows[row_P, 0]] + np.arange(len(row_P)) - first_P

    def prediction_rows(self, steps: Steps) -> np.ndarray:
        """What follows on each whole history."""
        end_S = steps.length_S.astype(np.int64)
        nothing = np.zeros_like(end_S)
        return np.stack([np.arange(len(end_S)), nothing, end_S, nothing + 1], axis=-1)

    def decode(
        self, steps: Steps, rows: np.ndarray, outputs: Outputs, batch: Batch
    ) -> dict[str, list[Any]]:
        """The items with the highest scores, the highest first, a line each."""
        columns: dict[str, list[Any]] = {"id": [], "rank": [], "item": [], "score": []}
        words = self.words()
        for history, scores_V in zip(rows[:, 0], self._candidates(outputs, batch), strict=True):
            best = np.argsort(-scores_V, kind="stable")[: self.options.top]
            best = best[scores_V[best] > -np.inf]
            columns["id"] += [steps.ids[history]] * len(best)
            columns["rank"] += range(1, len(best) + 1)
            columns["item"] += [words[v - FIRST] for v in best]
            columns["score"] += scores_V[best].tolist()
        return columns

    def _candidates(self, outputs_BV: np.ndarray, batch: Batch) -> np.ndarray:
        """The scores of what may be named; minus infinity for all else."""
        scores_BV: np.ndarray = outputs_BV.copy()
        scores_BV[:, :FIRST] = -np.inf
        if not self.options.repeats:
            np.put_along_axis(scores_BV, batch.seen.astype(np.int64), -np.inf, axis=1)
        return scores_BV

    def _spelled(self, steps: Steps, begin: int, end: int) -> list[str]:
        assert steps.token_N is not None
        return [steps.forms[v] for v in steps.token_N[begin:end]]
