"""A text for each sequence, whose tokens come in the order of its steps: speech, handwriting.

Nobody says at which step a token stands: every path that gives the text counts (Graves et al.,
2006). A path needs a step for each token and one more between equal ones. A training target that
has too few is left out and counted; one that is scored stays, can never be decoded, and is counted.
Tokens that no training target had are learned as one and never decoded.

A network starts by giving the blank as often as a path that gives each token one step. One that
gives tokens from the start soon learns at which steps they tend to stand, whatever is heard there,
and stays with it: of eight seeds on 23 recordings five had learned nothing else in 20 epochs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from tuner.data.card import TaskData
from tuner.data.ids import FIRST, UNKNOWN
from tuner.models.shape import SettingsRefused
from tuner.part import Config as PartConfig
from tuner.plots.exhibits import Exhibit, Listing
from tuner.tasks import _ctc, _exhibits
from tuner.tasks._base import Batch, Facts, Outputs, Run, Split
from tuner.tasks._edits import Edits, edits
from tuner.tasks._inputs import SequenceInputs
from tuner.tasks._sequences import SequenceTask
from tuner.tasks._tables import Table
from tuner.tasks._targets import TargetReader

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tuner.data.store import Steps, Store

METRICS = {
    "wer": "minimize",
    "cer": "minimize",
    "exact_match": "maximize",
    "loss": "minimize",
    "too_long": "minimize",
}
"""Metric → direction; the first is the default objective. Word and character error rates are edits
by the reference, of all texts together; `loss` is nats per token, of targets that have steps
enough; `too_long` counts those that have not."""

AUGMENTED = frozenset({"values"})

_CHUNK = 4096
"""Targets whose ids are in memory at a time."""


class Config(PartConfig):
    """Options of the task."""

    name: Literal["ctc"] = "ctc"
    beam: int = Field(default=1, ge=1, le=256)
    """Prefixes that decoding follows, whether it is scored or asked; 1 takes the likeliest output
    of each step instead."""


class InputConfig(SequenceInputs):
    """How a sequence becomes inputs, and how many steps it keeps."""

    stack: int = Field(default=1, ge=1, le=16)
    """Steps that are read as one, side by side (Sak et al., 2015); of no effect where tokens are
    read."""
    subsampling: int = Field(default=1, ge=1, le=16)
    """Steps for each that has an output, thinned by convolutions of `model/convolution` steps and
    `model/convolution_filters` features, one for each prime factor."""


def data(options: Config) -> TaskData:
    """A text for each sequence, by default of characters."""
    return TaskData(kind="sequence", target="tokens", target_tokens="character", aligned=True)


def create(options: Config, inputs: InputConfig, facts: Facts) -> Ctc:
    """Makes the task for one data set."""
    return Ctc(options, inputs, facts)


class Ctc(SequenceTask):
    """The likelihood of each target by all paths that give it."""

    TARGET_TIMED = frozenset({"targets", "weights"})
    per_step = True

    def __init__(self, options: Config, inputs: InputConfig, facts: Facts) -> None:
        super().__init__(inputs, facts)
        self._beam = options.beam
        self._stack = 1 if self.vocabulary else inputs.stack
        self.num_inputs *= self._stack
        self.stride = inputs.subsampling
        self.target = TargetReader(facts)
        self.num_outputs = self.target.vocabulary
        self._last: tuple[Steps, np.ndarray] | None = None

    def network(self, networks: list[nn.Module]) -> nn.Module:
        import torch

        network = super().network(networks)
        # A model of one's own starts as it likes.
        head = getattr(network, "head", None)
        if isinstance(head, torch.nn.Linear):
            with torch.no_grad():
                head.bias[_ctc.BLANK] = self._start_of_blank()
        return network

    def _start_of_blank(self) -> float:
        """The score that, beside 0 of every other output, gives the blank its share of steps."""
        facts = self.facts.statistics
        num_tokens = sum(number * count for number, count in enumerate(facts.target_lengths))
        num_steps = facts.target_steps[0] / (self._stack * self.stride)
        if not 0 < num_tokens < num_steps:
            return 0.0
        odds = (num_steps - num_tokens) / num_tokens
        return max(math.log(odds * (self.num_outputs - 1)), 0.0)

    def rows(self, store: Store, split: Split, fold: int | None) -> np.ndarray:
        rows = super().rows(store, split, fold)
        if split != "train":
            return rows
        kept: np.ndarray = rows[self._fits(store)[rows]]
        if not len(kept):
            raise SettingsRefused(
                "some training target must have steps enough: `data/stack` times "
                "`data/subsampling` must be smaller",
                got=f"{self._stack * self.stride} steps as one",
                fix="Lower it, or shorten `data/audio/hop`.",
            )
        return kept

    def left_out(self, store: Store, fold: int | None) -> int:
        rows = super().rows(store, "train", fold)
        return int((~self._fits(store)[rows]).sum())

    def lengths(self, steps: Steps, rows: np.ndarray) -> np.ndarray | None:
        lengths_R = super().lengths(steps, rows)
        return None if lengths_R is None else -(-lengths_R // self._stack)

    def batch(self, steps: Steps, rows: np.ndarray) -> Batch:
        inputs, lengths_B, _ = self.reader.cut(steps, rows)
        if self._stack > 1:
            inputs, lengths_B = _stacked(inputs, self._stack), -(-lengths_B // self._stack)
        target_BU, length_B = self.target.written(steps, rows)
        weights_BU = np.arange(target_BU.shape[1]) < length_B[:, None]
        return Batch(
            inputs=inputs,
            lengths=lengths_B,
            targets=target_BU,
            weights=weights_BU.astype(np.float32),
            target_lengths=length_B,
        )

    def target_lengths(self, steps: Steps, rows: np.ndarray) -> np.ndarray:
        assert steps.target_tokens is not None
        lengths_R: np.ndarray = steps.target_tokens.length_S[rows]
        return lengths_R

    def count(self, steps: Steps, rows: np.ndarray) -> int:
        return int(self.target_lengths(steps, rows).sum())

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        total: Tensor = self._losses(outputs, batch).sum()
        return total

    def statistics(self, outputs: Outputs, batch: Batch) -> Tensor:
        import torch

        steps_B = self.output_steps(batch.lengths)
        valid_BT = torch.arange(outputs.shape[1], device=outputs.device) < steps_B[:, None]
        broken = (~torch.isfinite(outputs)).any(dim=-1) & valid_BT
        target_BU, length_B = batch.targets.cpu().numpy(), batch.target_lengths.cpu().numpy()
        known_BU = np.where(target_BU < self.num_outputs, target_BU, UNKNOWN)
        fits_B = _ctc.frames_needed(known_BU, length_B) <= steps_B.cpu().numpy()
        counted_B = fits_B & (length_B > 0)
        loss_B = self._losses(outputs, batch)[torch.from_numpy(counted_B).to(outputs.device)]
        decoded_B = self._decoded(outputs.detach().float().cpu().numpy(), steps_B.cpu().numpy())
        counts = np.zeros(_COUNTS)
        for target_U, length, decoded in zip(target_BU, length_B, decoded_B, strict=True):
            if length:
                counts += self._counts(target_U[:length], decoded)
        tail = [
            float(loss_B.double().sum()),
            float(length_B[counted_B].sum()),
            float((~fits_B).sum()),
            float(broken.sum()),
        ]
        return torch.from_numpy(np.concatenate([counts, tail])).to(outputs.device)

    def metrics(self, statistics: Sequence[float]) -> dict[str, float]:
        right, *word_edits, letters, letter_edits, exact, texts, loss, tokens, long, broken = (
            statistics
        )
        if broken or not texts or not tokens:
            return dict.fromkeys(METRICS, float("nan"))
        substitutions, deletions, _ = word_edits
        return {
            "wer": sum(word_edits) / max(right + substitutions + deletions, 1),
            "cer": letter_edits / max(letters, 1),
            "exact_match": exact / texts,
            "loss": loss / tokens,
            "too_long": long,
        }

    def tables(self, statistics: Sequence[float]) -> dict[str, Table]:
        right, substitutions, deletions, insertions = map(int, statistics[:4])
        table = Table(
            about="Words of the references: how many were decoded, and the edits of the others.",
            columns=("right", "replaced", "left out", "inserted"),
            rows={"words": (right, substitutions, deletions, insertions)},
        )
        return {"words": table}

    def exhibits(self, store: Store, rows: np.ndarray, run: Run) -> dict[str, Exhibit]:
        """Texts with errors, beside what was decoded."""
        listed: list[tuple[str, ...]] = []
        for chunk in _exhibits.chunks(rows):
            if len(listed) < _exhibits.LISTED:
                listed += self._errors(store, chunk, run)
        if not listed:
            return {}
        about, columns = "The first texts with errors.", ("id", "text", "decoded")
        return {
            "errors": Listing(about=about, columns=columns, rows=tuple(listed[: _exhibits.LISTED]))
        }

    def _errors(self, store: Store, rows: np.ndarray, run: Run) -> list[tuple[str, ...]]:
        batch = self.batch(store, rows)
        decoded_B = self._decoded(run(batch, None)[0], self.output_steps(batch.lengths))
        found: list[tuple[str, ...]] = []
        for row, target_U, weights_U, decoded in zip(
            rows, batch.targets, batch.weights, decoded_B, strict=True
        ):
            texts = self._text(target_U[weights_U > 0]), self._text(decoded)
            if texts[0] != texts[1]:
                shown = (_exhibits.shortened(text.split()) for text in texts)
                found.append((store.ids[int(row)], *shown))
        return found

    def baselines(
        self, store: Store, split: Split, fold: int | None
    ) -> dict[str, dict[str, float]]:
        """The most frequent training token, as often as half of the training targets have tokens.

        Its loss is that of the shares of lengths and of tokens in training targets.
        """
        facts = self.facts.statistics
        counts_V = np.asarray(facts.target_token_counts, dtype=np.float64)
        times = np.asarray(facts.target_lengths, dtype=np.float64)
        usual = int(np.searchsorted(times.cumsum(), times.sum() / 2))
        share_L = (times + 1) / (times.sum() + len(times) + 1)
        known_V = counts_V[counts_V > 0]
        share_O = np.concatenate([np.ones(FIRST), known_V + 1])
        share_O /= share_O.sum()
        decoded = [FIRST + int(known_V.argmax())] * usual
        rows = self.rows(store, split, fold)
        counts, loss = np.zeros(_COUNTS), 0.0
        for row in rows:
            written_BU, (length,) = self.target.written(store, np.array([row]))
            ids_BU, _ = self.target.cut(store, np.array([row]))
            counts += self._counts(written_BU[0, :length], decoded)
            loss -= float(np.log(share_O[ids_BU[0, :length]]).sum())
            loss -= float(np.log(share_L[min(length, len(share_L) - 1)]))
        scores = self.metrics([*counts, loss, float(self.count(store, rows)), 0.0, 0.0])
        return {"most frequent token": scores}

    def prediction_rows(self, steps: Steps) -> np.ndarray:
        return np.arange(len(steps.length_S))

    def is_labelled(self, steps: Steps) -> bool:
        targets = steps.target_tokens
        return targets is not None and bool((targets.length_S > 0).all())

    def decode(
        self, steps: Steps, rows: np.ndarray, outputs: Outputs, batch: Batch
    ) -> dict[str, list[Any]]:
        """For each sequence what is decoded in it."""
        decoded_B = self._decoded(outputs, self.output_steps(batch.lengths))
        return {
            "id": [steps.ids[row] for row in rows],
            "text": [self._text(decoded) for decoded in decoded_B],
        }

    def _losses(self, y_BTO: Tensor, batch: Batch) -> Tensor:
        """loss_B in nats, infinite where a target has too few steps; 0 without a target."""
        import torch
        import torch.nn.functional as F

        # What is added up over all paths needs single precision.
        logs_TBO = torch.log_softmax(y_BTO.float(), dim=-1).transpose(0, 1)
        length_B = batch.target_lengths
        loss_B = F.ctc_loss(
            logs_TBO,
            torch.where(batch.targets < self.num_outputs, batch.targets, UNKNOWN),
            self.output_steps(batch.lengths).clamp(min=1),
            length_B,
            blank=_ctc.BLANK,
            reduction="none",
            zero_infinity=False,
        )
        return torch.where(length_B > 0, loss_B, 0.0)

    def _decoded(self, y_BTO: np.ndarray, steps_B: np.ndarray) -> list[list[int]]:
        """The tokens of each row's steps; what is unknown cannot be decoded."""
        found: list[list[int]] = []
        for y_TO, steps in zip(y_BTO, steps_B, strict=True):
            scores_TO = y_TO[:steps].astype(np.float64)
            if not len(scores_TO) or not np.isfinite(scores_TO).all():
                # Told by the metrics, which are NaN.
                found.append([])
                continue
            scores_TO[:, UNKNOWN] = -np.inf
            whole = self._beam == 1
            found.append(
                _ctc.best_path(scores_TO) if whole else _ctc.prefix_beam(scores_TO, self._beam)
            )
        return found

    def _text(self, ids: Sequence[int] | np.ndarray) -> str:
        """The text of some ids, without white space around it."""
        return self.target.joined(self.target.spelled(ids)).strip()

    def _counts(self, target_U: np.ndarray, decoded: Sequence[int]) -> np.ndarray:
        """Words right, replaced, left out and inserted; letters, their edits; exact ones; texts."""
        reference, answer = self._text(target_U), self._text(decoded)
        words = reference.split()
        if reference == answer:
            return np.array([len(words), 0, 0, 0, len(reference), 0, 1, 1], dtype=np.float64)
        of_words: Edits = edits(words, answer.split())
        of_letters = edits(reference, answer).distance
        right = len(words) - of_words.substitutions - of_words.deletions
        return np.array([right, *of_words, len(reference), of_letters, 0, 1], dtype=np.float64)

    def _fits(self, steps: Steps) -> np.ndarray:
        """Whether each sequence has steps enough for its target, found out once."""
        if self._last is None or self._last[0] is not steps:
            all_S = np.arange(len(steps.length_S))
            needed = [
                _ctc.frames_needed(*self.target.cut(steps, rows))
                for rows in np.split(all_S, range(_CHUNK, len(all_S), _CHUNK))
            ]
            steps_S = -(-steps.length_S.astype(np.int64) // (self._stack * self.stride))
            self._last = steps, np.concatenate(needed) <= steps_S
        return self._last[1]


_COUNTS = 8
"""Numbers that `Ctc._counts` gives."""


def _stacked(x_BTF: np.ndarray, stack: int) -> np.ndarray:
    """So many steps side by side as one; what is missing at the end is 0."""
    num, steps, features = x_BTF.shape
    whole = -(-steps // stack) * stack
    padded = np.pad(x_BTF, ((0, 0), (0, whole - steps), (0, 0)))
    return padded.reshape(num, whole // stack, stack * features)
