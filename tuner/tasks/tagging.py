"""A label for every step: named entities, parts of speech, frames.

Spans in BIO may be learned as BIOES and are always scored as spans. A network with a CRF hands out
its transitions beside its outputs; whether it does is the model's affair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tuner.data.card import TaskData
from tuner.part import Config as PartConfig
from tuner.plots.exhibits import Exhibit, Listing
from tuner.tasks import _crf, _exhibits, _spans
from tuner.tasks._base import Batch, Facts, Outputs, Run, Split, Task
from tuner.tasks._inputs import SequenceInputs
from tuner.tasks._losses import ClassLossConfig as LossConfig
from tuner.tasks._losses import ClassWeights, class_losses, class_weights
from tuner.tasks._sequences import SequenceTask
from tuner.tasks._tables import Table

if TYPE_CHECKING:
    from torch import Tensor

    from tuner.data.store import Steps, Store

METRICS = {
    "f1": "maximize",
    "precision": "maximize",
    "recall": "maximize",
    "accuracy": "maximize",
    "loss": "minimize",
}
"""Metric → direction; the first is the default objective. Of spans, exact in extent and type and
over all types together, where tags are spans; else the mean over tags. `accuracy` counts steps."""


AUGMENTED = frozenset({"values"})

_GIVEN_AS = {"O": "O", "B": "BSIE", "S": "SBIE", "I": "IEBS", "E": "EIBS"}
"""Mark of a tag as it is learned → those of the tags that it may have been given as, likely ones
first."""


class Config(PartConfig):
    """Options of the task."""

    name: Literal["tagging"] = "tagging"
    spans: bool | None = None
    """Whether tags such as B-person and I-person mark spans; by default if they look like it."""
    scheme: Literal["given", "bioes"] = "given"
    """How spans are learned: by the tags as given, or with ends and singles marked as well."""


class InputConfig(SequenceInputs):
    """How a sequence becomes an input, and what its tags count."""

    class_weights: ClassWeights = "none"
    """What a tag counts in the training loss: 1, or more the rarer it is, in inverse proportion to
    its training steps or to their root; 1 in the mean over the training steps. Under a CRF, which
    knows whole sequences only, a sequence counts the mean of its tags' weights."""


def data(options: Config) -> TaskData:
    """One tag per step."""
    return TaskData(kind="sequence", target="tags", sided=True)


def create(
    options: Config, inputs: InputConfig, facts: Facts, losses: LossConfig | None = None
) -> Task:
    """Makes the task for one data set."""
    return Tagging(options, inputs, facts, losses or LossConfig())


class Tagging(SequenceTask):
    """Cross-entropy, or a CRF's likelihood, over the steps that have a tag."""

    TIMED = frozenset({"inputs", "targets", "weights"})
    per_step = True

    def __init__(
        self, options: Config, inputs: InputConfig, facts: Facts, losses: LossConfig
    ) -> None:
        super().__init__(inputs, facts)
        self.losses = losses
        marked = all(tag == _spans.OUTSIDE or tag[:2] in _spans.MARKS for tag in facts.labels)
        self.spans = marked if options.spans is None else options.spans
        self.tags = facts.labels
        self._marks_ends = self.spans and options.scheme == "bioes"
        if self._marks_ends:
            kinds = sorted({_spans.parted(tag)[1] for tag in facts.labels} - {""})
            self.tags = (_spans.OUTSIDE, *(f"{p}-{kind}" for kind in kinds for p in "BIES"))
        self.num_outputs = len(self.tags)
        self._weights_O = self._tag_weights(inputs.class_weights)
        self._last: tuple[np.ndarray, np.ndarray] | None = None

    def batch(self, steps: Steps, rows: np.ndarray) -> Batch:
        inputs, lengths_B, index_BT = self.reader.cut(steps, rows)
        tags_BT = np.full(index_BT.shape, -1, dtype=np.int64)
        if steps.tag_N is not None:
            tags_BT = np.where(index_BT >= 0, self._learned(steps)[index_BT], -1)
        return Batch(
            inputs=inputs,
            lengths=lengths_B,
            side=self.reader.side(steps, rows),
            targets=np.maximum(tags_BT, 0),
            weights=(tags_BT >= 0).astype(np.float32),
        )

    def count(self, steps: Steps, rows: np.ndarray) -> int:
        return int(steps.length_S[rows].sum())

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        return self._loss(outputs, batch, self.losses, self._weights_O)

    def statistics(self, outputs: Outputs, batch: Batch) -> Tensor:
        import torch

        y_BTO, transitions = outputs if isinstance(outputs, tuple) else (outputs, None)
        weights_BT = batch.weights.cpu().numpy() > 0
        guess_BT = self._best(
            y_BTO.detach().float().cpu().numpy(),
            None if transitions is None else transitions.detach().float().cpu().numpy(),
            weights_BT.sum(axis=1),
        )
        truth_BT = batch.targets.cpu().numpy()
        truth_N, guess_N = truth_BT[weights_BT], guess_BT[weights_BT]
        hits_O = np.bincount(truth_N[truth_N == guess_N], minlength=self.num_outputs)
        truth_O = np.bincount(truth_N, minlength=self.num_outputs)
        guess_O = np.bincount(guess_N, minlength=self.num_outputs)
        spans = np.zeros(3)
        if self.spans:
            lengths_B = weights_BT.sum(axis=1)
            for truth_T, guess_T, length in zip(truth_BT, guess_BT, lengths_B, strict=True):
                spans += self._agreement(truth_T[:length], guess_T[:length])
        broken = (~torch.isfinite(y_BTO)).any(dim=-1) & (batch.weights > 0)
        plain = self._loss(outputs, batch, LossConfig())
        tail = [float(plain), float(broken.sum())]
        found = np.concatenate([hits_O, truth_O, guess_O, spans, tail])
        return torch.from_numpy(found).to(y_BTO.device)

    def metrics(self, statistics: Sequence[float]) -> dict[str, float]:
        *counts, loss, broken = statistics
        hits_O, truth_O, guess_O = np.reshape(counts[:-3], (3, self.num_outputs))
        total = truth_O.sum()
        if broken or not total:
            return dict.fromkeys(METRICS, float("nan"))
        if self.spans:
            precision, recall, f1 = _rates(*(np.array([count]) for count in counts[-3:]))
        else:
            precision, recall, f1 = _rates(hits_O, truth_O, guess_O)
        return {
            "f1": f1,
            "precision": precision,
            "recall": recall,
            "accuracy": float(hits_O.sum() / total),
            "loss": float(loss / total),
        }

    def tables(self, statistics: Sequence[float]) -> dict[str, Table]:
        counts_3O = np.reshape(statistics[: 3 * self.num_outputs], (3, -1)).astype(int)
        table = Table(
            about="Steps by their tag: predicted rightly, with that tag, predicted as that tag.",
            columns=("right", "there", "predicted"),
            rows=dict(zip(self.tags, map(tuple, counts_3O.T.tolist()), strict=True)),
        )
        return {"tags": table}

    def exhibits(self, store: Store, rows: np.ndarray, run: Run) -> dict[str, Exhibit]:
        """Sequences with errors, each error as the step, its tag and what was predicted."""
        listed: list[tuple[str, ...]] = []
        for chunk in _exhibits.chunks(rows):
            if len(listed) < _exhibits.LISTED:
                listed += self._errors(store, chunk, run)
        if not listed:
            return {}
        texts = ["text"] * (store.token_N is not None)
        columns = ("id", *texts, "step: its tag → predicted")
        first = tuple(listed[: _exhibits.LISTED])
        about = "The first sequences with errors."
        return {"errors": Listing(about=about, columns=columns, rows=first)}

    def _errors(self, store: Store, rows: np.ndarray, run: Run) -> list[tuple[str, ...]]:
        batch = self.batch(store, rows)
        outputs = run(batch, None)[0]
        y_BTO, transitions = outputs if isinstance(outputs, tuple) else (outputs, None)
        guess_BT = self._best(y_BTO, transitions, batch.lengths)
        wrong_BT = (guess_BT != batch.targets) & (batch.weights > 0)
        found: list[tuple[str, ...]] = []
        for b in np.flatnonzero(wrong_BT.any(axis=1)):
            words = self.step_names(store, int(rows[b]))
            told = "; ".join(
                f"{words[t] if words else t + 1}: "
                f"{self.tags[batch.targets[b, t]]} → {self.tags[guess_BT[b, t]]}"
                for t in np.flatnonzero(wrong_BT[b])
            )
            texts = [_exhibits.shortened(words)] * bool(words)
            found.append((store.ids[int(rows[b])], *texts, told))
        return found

    def baselines(
        self, store: Store, split: Split, fold: int | None
    ) -> dict[str, dict[str, float]]:
        """The most frequent tag of all, and of each token, in the training rows.

        Their loss is that of the shares of all tags in the training rows.
        """
        assert store.tag_N is not None
        learned_N = self._learned(store)
        train_N, scored_N = (self._steps(store, part, fold) for part in ("train", split))
        shares_O = np.bincount(learned_N[train_N], minlength=self.num_outputs) + 1.0
        usual = int(shares_O.argmax())
        guesses = {"most frequent tag": np.full(len(learned_N), usual)}
        if store.token_N is not None:
            pairs = Counter(
                zip(store.token_N[train_N].tolist(), learned_N[train_N].tolist(), strict=True)
            )
            best_V = np.full(len(store.forms), usual)
            for (token, tag), _ in sorted(pairs.items(), key=lambda pair: pair[1]):
                best_V[token] = tag
            guesses["most frequent tag of each token"] = best_V[store.token_N]
        rows = self.rows(store, split, fold)
        loss = -float(np.log(shares_O / shares_O.sum())[learned_N[scored_N]].sum())
        return {name: self._scores(store, rows, g, loss) for name, g in guesses.items()}

    def is_labelled(self, steps: Steps) -> bool:
        return steps.tag_N is not None and bool((steps.tag_N >= 0).all())

    def decode(
        self, steps: Steps, rows: np.ndarray, outputs: Outputs, batch: Batch
    ) -> dict[str, list[Any]]:
        """One line per step: its sequence, its place, its token if there are any, and its tag."""
        y_BTO, transitions = outputs if isinstance(outputs, tuple) else (outputs, None)
        tags_BT = self._best(y_BTO, transitions, batch.lengths)
        columns: dict[str, list[Any]] = {"id": [], "step": [], "token": [], "tag": []}
        for row, tags_T in zip(rows, tags_BT, strict=True):
            length, offset = int(steps.length_S[row]), int(steps.offset_S[row])
            tags = [self.tags[tag] for tag in tags_T[:length]]
            columns["id"] += [steps.ids[row]] * length
            columns["step"] += range(1, length + 1)
            columns["tag"] += _spans.to_bio(tags) if self._marks_ends else tags
            if steps.token_N is not None:
                columns["token"] += [
                    steps.forms[v] for v in steps.token_N[offset : offset + length]
                ]
        return {name: values for name, values in columns.items() if values or name != "token"}

    def _loss(
        self,
        outputs: Outputs,
        batch: Batch,
        losses: LossConfig,
        weights_O: np.ndarray | None = None,
    ) -> Tensor:
        """The sum over steps or, with a CRF, over sequences."""
        import torch

        counts_BT = batch.weights
        if weights_O is not None:
            of_tag_O = torch.from_numpy(weights_O).to(batch.targets.device)
            counts_BT = counts_BT * of_tag_O[batch.targets]
        if isinstance(outputs, tuple):
            y_BTO, transitions = outputs
            loss_B = _crf.loss(y_BTO, transitions, batch.targets, batch.weights > 0, losses)
            counts_B = counts_BT.sum(dim=1) / batch.weights.sum(dim=1).clamp(min=1)
            counted = loss_B * counts_B
        else:
            counted = class_losses(outputs, batch.targets, losses) * counts_BT
        total: Tensor = counted.sum()
        return total

    def _tag_weights(self, how: ClassWeights) -> np.ndarray | None:
        """float32: of each tag as it is learned; an end or a single counts what it was given as."""
        weights_L = class_weights(how, self.facts.statistics.class_counts)
        if weights_L is None or not self._marks_ends:
            return weights_L
        given = {
            _spans.parted(label): weight
            for label, weight in zip(self.facts.labels, weights_L, strict=True)
        }
        marked = [_spans.parted(tag) for tag in self.tags]
        return np.array(
            [
                next((given[p, kind] for p in _GIVEN_AS[prefix] if (p, kind) in given), 0)
                for prefix, kind in marked
            ],
            dtype=np.float32,
        )

    def _best(
        self, y_BTO: np.ndarray, transitions: np.ndarray | None, lengths_B: np.ndarray
    ) -> np.ndarray:
        if transitions is None:
            best_BT: np.ndarray = y_BTO.argmax(axis=-1)
            return best_BT
        if self.spans:
            # What no scheme allows is never learned well enough to be left to the weights.
            transitions = transitions + self._forbidden()
        return _crf.decode(y_BTO, transitions, lengths_B)

    def _forbidden(self) -> np.ndarray:
        allowed = [[_spans.may_follow(a, b) for b in self.tags] for a in self.tags]
        starts = [_spans.may_follow(_spans.OUTSIDE, tag) for tag in self.tags]
        ends = [True] * len(self.tags)
        return np.where([*allowed, starts, ends], np.float32(0), np.float32(-1e4))

    def _learned(self, steps: Steps) -> np.ndarray:
        """int64: the tag of each step as it is learned; -1 without one."""
        assert steps.tag_N is not None
        if not self._marks_ends:
            return steps.tag_N.astype(np.int64)
        if self._last is None or self._last[0] is not steps.tag_N:
            numbers = {tag: number for number, tag in enumerate(self.tags)}
            learned_N = np.full(len(steps.tag_N), -1, dtype=np.int64)
            for offset, length in zip(steps.offset_S, steps.length_S, strict=True):
                tags_T = steps.tag_N[offset : offset + length]
                if (tags_T >= 0).all():
                    tags = _spans.to_bioes([self.facts.labels[tag] for tag in tags_T])
                    learned_N[offset : offset + length] = [numbers[tag] for tag in tags]
            self._last = steps.tag_N, learned_N
        return self._last[1]

    def _agreement(self, truth_T: np.ndarray, guess_T: np.ndarray) -> list[int]:
        """Spans that are right, there, and said, in one sequence."""
        true, said = (
            set(_spans.spans([self.tags[tag] for tag in tags_T])) for tags_T in (truth_T, guess_T)
        )
        return [len(true & said), len(true), len(said)]

    def _steps(self, store: Store, split: Split, fold: int | None) -> np.ndarray:
        """The places of all steps of a split."""
        rows = self.rows(store, split, fold)
        chosen_S = np.zeros(len(store.length_S), dtype=bool)
        chosen_S[rows] = True
        return np.flatnonzero(np.repeat(chosen_S, store.length_S))

    def _scores(
        self, store: Store, rows: np.ndarray, guess_N: np.ndarray, loss: float
    ) -> dict[str, float]:
        learned_N = self._learned(store)
        sums = np.zeros((3, self.num_outputs))
        spans = np.zeros(3)
        for row in rows:
            here = slice(store.offset_S[row], store.offset_S[row] + store.length_S[row])
            truth_T, guess_T = learned_N[here], guess_N[here]
            for number, tags in enumerate((truth_T[truth_T == guess_T], truth_T, guess_T)):
                sums[number] += np.bincount(tags, minlength=self.num_outputs)
            if self.spans:
                spans += self._agreement(truth_T, guess_T)
        return self.metrics([*sums.ravel(), *spans, loss, 0.0])


def _rates(
    hits_K: np.ndarray, truth_K: np.ndarray, guess_K: np.ndarray
) -> tuple[float, float, float]:
    """Precision, recall and F1, the mean over the kinds that are there or were said."""
    named_K = (truth_K + guess_K) > 0
    if not named_K.any():
        return 0.0, 0.0, 0.0
    hits_K, truth_K, guess_K = hits_K[named_K], truth_K[named_K], guess_K[named_K]
    precision = float((hits_K / np.maximum(guess_K, 1)).mean())
    recall = float((hits_K / np.maximum(truth_K, 1)).mean())
    return precision, recall, float((2 * hits_K / (truth_K + guess_K)).mean())
