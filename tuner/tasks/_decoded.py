"""Tasks whose answer is a text that a decoder gives: how it is learned, scored and spelled.

B rows   U tokens of the longest target, its end included   L tokens of the longest answer   V ids
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from tuner import registry
from tuner.beam import Search
from tuner.data.ids import END, FIRST_DECODED, UNKNOWN
from tuner.data.layout import GIVEN
from tuner.models.shape import Shape
from tuner.part import Config as PartConfig
from tuner.plots.exhibits import Exhibit, Listing
from tuner.tasks import _bleu, _exhibits
from tuner.tasks._base import Batch, Facts, Outputs, Run, Split
from tuner.tasks._edits import edits
from tuner.tasks._inputs import SequenceInputs
from tuner.tasks._losses import ClassLossConfig, class_losses
from tuner.tasks._sequences import SequenceTask
from tuner.tasks._targets import TargetReader

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.data.store import Steps, Store

SUMS = ("broken", "loss", "loss_tokens", "texts", "exact", "misplaced")
EDITED = ("word", "character")
_NUM_SUMS = len(SUMS) + 2 * len(EDITED) + _bleu.COUNTS


class DecodedConfig(PartConfig):
    """How texts are looked for and compared: the same for every trial."""

    beam: int = Field(default=1, ge=1, le=64)
    """Hypotheses that beam search follows; 1 gives the likeliest token each time."""
    length_power: float = Field(default=1.0, ge=0, le=3)
    """Beam search compares texts by log-probability over length to this power: 0 prefers short
    ones, 1 is the mean of a token."""
    longest: int | None = Field(default=None, ge=1, le=10_000)
    """Most tokens of an answer; by default as many as the longest training target has."""
    bleu: _bleu.Cut = "13a"
    """How sacrebleu cuts texts before it counts: `none` for texts that are cut by white space
    already, `char` for those that have none."""


class DecodedTask(SequenceTask):
    """Cross-entropy over the tokens of a target and its end, each after the true ones before it.

    What is scored besides is decoded freely. Tokens of a target that no training target had are
    learned as one, the unknown token, and never decoded; in texts to compare with they stay.
    """

    TARGET_TIMED = frozenset({"targets", "weights"})

    def __init__(
        self, options: DecodedConfig, inputs: SequenceInputs, facts: Facts, losses: ClassLossConfig
    ) -> None:
        super().__init__(inputs, facts)
        self.options, self.losses = options, losses
        self.target = TargetReader(facts, FIRST_DECODED)
        self.num_outputs = self.target.vocabulary
        longest = options.longest or self.target.longest
        self.search: Search = Search(
            width=options.beam, length_power=options.length_power, longest=longest + 1
        )

    @property
    def shape(self) -> Shape:
        return Shape(
            inputs=self.num_inputs,
            outputs=self.num_outputs,
            vocabulary=self.vocabulary,
            characters=self.characters,
            picture=self.facts.picture,
            frame=self.facts.frame,
            decodes=True,
        )

    def network(self, networks: list[nn.Module]) -> nn.Module:
        (network,) = networks
        network.search = self.search  # type: ignore[assignment]
        return network

    def batch(self, steps: Steps, rows: np.ndarray) -> Batch:
        inputs, lengths_B, _ = self.reader.cut(steps, rows)
        ids_BU, ends_B = self.target.written(steps, rows)
        targets_BU = np.pad(ids_BU, ((0, 0), (0, 1)))
        targets_BU[np.arange(len(rows)), ends_B] = END
        weights_BU = np.arange(targets_BU.shape[1]) <= ends_B[:, None]
        width = int(ends_B.max(initial=0)) + 1
        return Batch(
            inputs=inputs,
            lengths=lengths_B,
            targets=targets_BU[:, :width],
            weights=weights_BU[:, :width].astype(np.float32),
            target_lengths=ends_B + 1,
        )

    def count(self, steps: Steps, rows: np.ndarray) -> int:
        return int(self.target_lengths(steps, rows).sum())

    def target_lengths(self, steps: Steps, rows: np.ndarray) -> np.ndarray:
        assert steps.target_tokens is not None
        lengths_R: np.ndarray = steps.target_tokens.length_S[rows].astype(np.int64) + 1
        return lengths_R

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        if isinstance(outputs, tuple):
            logp_BU, _ = outputs
            plain: Tensor = -(logp_BU * batch.weights).sum()
            return plain
        given_BU = batch.targets > 0
        ids_M = batch.targets[given_BU]
        known_M = ids_M.where(ids_M < self.num_outputs, UNKNOWN)
        losses_M = class_losses(outputs, known_M, self.losses)
        total: Tensor = (losses_M * batch.weights[given_BU]).sum()
        return total

    def statistics(self, outputs: Outputs, batch: Batch) -> Tensor:
        import torch

        logp_BU, decoded_BL = outputs
        counts_BU = batch.weights > 0
        broken = (~torch.isfinite(logp_BU) & counts_BU).sum()
        loss = -logp_BU.double().where(counts_BU, 0.0).sum()
        targets_BU, decoded = batch.targets.cpu().numpy(), decoded_BL.cpu().numpy()
        # A row that only keeps a rank in step has no target, not even an end.
        rows = np.flatnonzero(batch.target_lengths.cpu().numpy() > 0)
        texts = self._compared(
            [self.target.spelled(targets_BU[row]) for row in rows],
            [self.target.spelled(decoded[row]) for row in rows],
        )
        sums = [float(broken), float(loss), float(counts_BU.sum()), *texts]
        return torch.tensor(sums, dtype=torch.float64, device=logp_BU.device)

    def metrics(self, statistics: Sequence[float]) -> dict[str, float]:
        assert len(statistics) == _NUM_SUMS
        sums = dict(zip(SUMS, statistics, strict=False))
        rest = list(statistics[len(SUMS) :])
        errors = {name: rest[2 * i] / max(rest[2 * i + 1], 1.0) for i, name in enumerate(EDITED)}
        found = self.measured(sums, errors, rest[2 * len(EDITED) :])
        if sums["broken"] or not sums["texts"]:
            return dict.fromkeys(found, float("nan"))
        return found

    @abstractmethod
    def measured(
        self, sums: dict[str, float], errors: dict[str, float], bleu: Sequence[float]
    ) -> dict[str, float]:
        """The task's metrics.

        Args:
            sums: by the names in `SUMS`.
            errors: edits of words and characters, by those of all references.
            bleu: counts, as `_bleu.score` takes them.
        """

    def exhibits(self, store: Store, rows: np.ndarray, run: Run) -> dict[str, Exhibit]:
        """The first texts that are not as they should be."""
        listed: list[tuple[str, ...]] = []
        for chunk in _exhibits.chunks(rows):
            if len(listed) >= _exhibits.LISTED:
                break
            batch = self.batch(store, chunk)
            (_, decoded_BL), _ = run(batch, None)
            for row, target_U, decoded_L in zip(chunk, batch.targets, decoded_BL, strict=True):
                target, decoded = self.text(target_U), self.text(decoded_L)
                if target != decoded:
                    words = self.step_names(store, int(row))
                    read = [_exhibits.shortened(words)] * bool(words)
                    listed.append((store.ids[int(row)], *read, target, decoded))
        if not listed:
            return {}
        columns = ("id", *["text"] * (len(listed[0]) - 3), "target", "decoded")
        about = "The first texts that were not decoded as they stand."
        return {
            "errors": Listing(about=about, columns=columns, rows=tuple(listed[: _exhibits.LISTED]))
        }

    def baselines(
        self, store: Store, split: Split, fold: int | None
    ) -> dict[str, dict[str, float]]:
        """The most frequent training text for all and, where texts are read, each text itself.

        Their loss is that of the shares of single tokens in the training targets.
        """
        assert store.target_tokens is not None
        train, rows = (self.rows(store, part, fold) for part in ("train", split))
        truth = [store.target_tokens.of(int(row)) for row in rows]
        counted = Counter(tuple(store.target_tokens.of(int(row))) for row in train)
        usual = list(min(counted.items(), key=lambda pair: (-pair[1], pair[0]))[0])
        answers: dict[str, tuple[list[list[str]], list[str] | None]] = {
            "most frequent text": ([usual] * len(rows), None)
        }
        if store.token_N is not None and self.facts.tokens != GIVEN:
            join = registry.get("tokenizers", self.facts.tokens).join
            texts = [join(self._read(store, int(row))) for row in rows]
            answers["the text that is read"] = ([text.split() for text in texts], texts)
        loss, count = self._single_tokens(store, train, rows)
        return {
            name: self.metrics([0.0, loss, count, *self._compared(truth, decoded, texts)])
            for name, (decoded, texts) in answers.items()
        }

    def is_labelled(self, steps: Steps) -> bool:
        return steps.target_tokens is not None and bool((steps.target_tokens.length_S > 0).all())

    def decode(
        self, steps: Steps, rows: np.ndarray, outputs: Outputs, batch: Batch
    ) -> dict[str, list[Any]]:
        """The text that is decoded of each row."""
        _, decoded_BL = outputs
        return {
            "id": [steps.ids[row] for row in rows],
            "text": [self.text(decoded_L) for decoded_L in decoded_BL],
        }

    def text(self, ids: np.ndarray) -> str:
        """Ids as one text."""
        return self.target.joined(self.target.spelled(ids))

    def _compared(
        self, truth: list[list[str]], decoded: list[list[str]], answers: list[str] | None = None
    ) -> list[float]:
        """Sums over texts, from `texts` on: how many, how many are right, shares of tokens that
        stand elsewhere, edits, and BLEU's counts.

        Args:
            truth: tokens of the references.
            decoded: tokens of the answers.
            answers: the same as texts, unless these are its tokens joined.
        """
        texts = [self.target.joined(words) for words in truth]
        answers = answers or [self.target.joined(words) for words in decoded]
        exact = sum(text == answer for text, answer in zip(texts, answers, strict=True))
        misplaced = sum(
            _misplaced(words, other) for words, other in zip(truth, decoded, strict=True)
        )
        sums = [float(len(texts)), float(exact), misplaced]
        words = [[text.split() for text in each] for each in (texts, answers)]
        for references, others in ((words[0], words[1]), (texts, answers)):
            pairs = zip(references, others, strict=True)
            sums.append(float(sum(edits(one, other).distance for one, other in pairs)))
            sums.append(float(sum(map(len, references))))
        if not texts:
            return [*sums, *[0.0] * _bleu.COUNTS]
        return [*sums, *_bleu.counts(answers, texts, self.options.bleu)]

    def _single_tokens(
        self, store: Store, train: np.ndarray, rows: np.ndarray
    ) -> tuple[float, float]:
        """The loss of targets by the shares of their tokens, ends included, and how many."""

        def counted(some: np.ndarray) -> np.ndarray:
            ids_BU, lengths_B = self.target.cut(store, some)
            counts_V = np.bincount(ids_BU[ids_BU > 0], minlength=self.num_outputs)
            counts_V[END] = len(lengths_B)
            return counts_V

        train_V, scored_V = counted(train) + 1.0, counted(rows)
        return -float(scored_V @ np.log(train_V / train_V.sum())), float(scored_V.sum())

    def _read(self, store: Store, row: int) -> list[str]:
        assert store.token_N is not None
        begin = int(store.offset_S[row])
        tokens = store.token_N[begin : begin + int(store.length_S[row])]
        return [store.forms[v] for v in tokens]


def perplexity(nats: float) -> float:
    """Of a loss per token; a model far from trained would overflow a float."""
    return math.exp(min(nats, 700.0))


def _misplaced(truth: list[str], decoded: list[str]) -> float:
    """Share of the longer text's places where the other has another token, or none."""
    longer = max(len(truth), len(decoded))
    same = sum(a == b for a, b in zip(truth, decoded, strict=False))
    return (longer - same) / longer if longer else 0.0
