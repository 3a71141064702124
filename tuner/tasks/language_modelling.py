"""The next token of a stream: words, characters, subwords, or notes.

The texts of a split, each with its end, are one stream. In training it is cut into as many parts as
a batch has rows; every rank owns some of them, in order, with their states, and each optimizer step
goes on by one window (truncated back-propagation through time). A split is scored over all of its
tokens but the first, by a number of parts that no trial can change; each part but the first reads
some tokens before its own, so that none is predicted from nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from tuner.data.card import SPLITS, TaskData
from tuner.data.layout import GIVEN
from tuner.data.texts import END
from tuner.part import Config as PartConfig
from tuner.plots.exhibits import Exhibit, Text
from tuner.sampling import Sampling, drawn, joined
from tuner.tasks._base import Batch, Facts, Outputs, Run, Split, Task
from tuner.tasks._inputs import Reader, SequenceInputs
from tuner.tasks._losses import ClassLossConfig as LossConfig
from tuner.tasks._losses import class_losses

if TYPE_CHECKING:
    from torch import Tensor

    from tuner.data.store import Steps, Store

METRICS = {
    "loss": "minimize",
    "perplexity": "minimize",
    "nats_per_character": "minimize",
    "bits_per_character": "minimize",
    "accuracy": "maximize",
}
"""Metric → direction; the first, nats per token, is the default objective. Sweeps of different
vocabularies are compared by bits per character."""

AUGMENTED = frozenset({"values"})

CAUSAL = True
"""What predicts what it reads must not read ahead."""

_STREAMS, _STREAM_TOKENS = 32, 512
"""A split is scored in up to so many parts, each of at least so many tokens."""

_BEFORE = 128
"""Tokens that a part reads before its own."""


_SAMPLE, _TEMPERATURES = 300, (0.5, 0.8, 1.0)
"""Tokens of a sample, and how adventurous it is."""


class Config(PartConfig):
    """Options of the task."""

    name: Literal["language_modelling"] = "language_modelling"


class InputConfig(PartConfig):
    """How a stream becomes inputs."""

    window: int = Field(default=64, ge=1, le=4096)
    """Tokens per optimizer step and row, through which gradients flow."""


def data(options: Config) -> TaskData:
    """Texts without labels."""
    return TaskData(kind="sequence", target="none")


def create(
    options: Config, inputs: InputConfig, facts: Facts, losses: LossConfig | None = None
) -> Task:
    """Makes the task for one data set."""
    return LanguageModelling(inputs, facts, losses or LossConfig())


class LanguageModelling(Task):
    """Cross-entropy over tokens.

    A row is three numbers: the place of its first input token, how many tokens it predicts, and how
    many of them are not counted, since they only lead up to those that are.
    """

    TIMED = frozenset({"inputs", "targets", "weights"})
    per_step = True

    def __init__(self, inputs: InputConfig, facts: Facts, losses: LossConfig) -> None:
        self.facts, self.losses = facts, losses
        self.window = inputs.window
        self.reader = Reader(SequenceInputs(), facts)
        self.num_inputs, self.vocabulary = 0, self.reader.vocabulary
        self.num_outputs = self.vocabulary
        lengths = [self._spelled(word) for word in self.reader.words()]
        # Ids begin with padding and the unknown token, which counts as a token of usual length.
        self._length_V = np.array([0, np.mean(lengths or [1]), *lengths])

    def words(self) -> Sequence[str]:
        return self.reader.words()

    def rows(self, store: Store, split: Split, fold: int | None) -> np.ndarray:
        rows_TB3 = self.streams(store, split, fold, self.num_streams(store, split))
        return rows_TB3.reshape(-1, 3)

    def streams(self, store: Store, split: Split, fold: int | None, num: int) -> np.ndarray:
        first, end = self._span(store, split)
        scored = split != "train"
        total = end - first - 1
        begin_B = first + np.arange(num) * total // num
        end_B = np.append(begin_B[1:], first + total)
        lead_B = np.minimum(begin_B - first, _BEFORE if scored else 0)
        begin_B = begin_B - lead_B
        num_windows = -(-int((end_B - begin_B).max()) // self.window)
        start_TB = begin_B + np.arange(num_windows)[:, None] * self.window
        count_TB = np.clip(end_B - start_TB, 0, self.window)
        skip_TB = np.clip(begin_B + lead_B - start_TB, 0, count_TB)
        return np.stack([np.minimum(start_TB, end - 1), count_TB, skip_TB], axis=-1)

    def num_streams(self, store: Store, split: Split) -> int:
        first, end = self._span(store, split)
        return int(np.clip((end - first) // _STREAM_TOKENS, 1, _STREAMS))

    def batch(self, steps: Steps, rows: np.ndarray) -> Batch:
        assert steps.token_N is not None
        start_B, count_B, skip_B = rows.T
        times_T = np.arange(max(int(count_B.max(initial=0)), 1))
        valid_BT = times_T < count_B[:, None]
        index_BT = np.where(valid_BT, start_B[:, None] + times_T, -1)
        following_BT = np.where(valid_BT, index_BT + 1, -1)
        return Batch(
            inputs=self.reader.ids(steps, index_BT),
            # A part that has ended keeps its place in the batch.
            lengths=np.maximum(count_B, 1),
            targets=self.reader.ids(steps, following_BT)[..., 0],
            weights=(valid_BT & (times_T >= skip_B[:, None])).astype(np.float32),
        )

    def count(self, steps: Steps, rows: np.ndarray) -> int:
        return int((rows[:, 1] - rows[:, 2]).sum())

    def lengths(self, steps: Steps, rows: np.ndarray) -> np.ndarray | None:
        lengths_R: np.ndarray = np.maximum(rows[:, 1], 1)
        return lengths_R

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        total: Tensor = (class_losses(outputs, batch.targets, self.losses) * batch.weights).sum()
        return total

    def statistics(self, outputs: Outputs, batch: Batch) -> Tensor:
        import torch

        losses_BT = class_losses(outputs, batch.targets, LossConfig())
        weights_BT = batch.weights.double()
        length_V = torch.from_numpy(self._length_V).to(weights_BT.device)
        right_BT = outputs.argmax(dim=-1) == batch.targets
        broken_BT = (~torch.isfinite(outputs)).any(dim=-1) & (weights_BT > 0)
        return torch.stack(
            [
                (losses_BT * weights_BT).sum(),
                weights_BT.sum(),
                (length_V[batch.targets] * weights_BT).sum(),
                (right_BT * weights_BT).sum(),
                broken_BT.sum().double(),
            ]
        )

    def metrics(self, statistics: Sequence[float]) -> dict[str, float]:
        loss, count, letters, right, broken = statistics
        if broken or not count:
            return dict.fromkeys(METRICS, float("nan"))
        nats = loss / count
        per_letter = loss / letters
        return {
            "loss": nats,
            # A model far from trained would overflow a float.
            "perplexity": math.exp(min(nats, 700.0)),
            "nats_per_character": per_letter,
            "bits_per_character": per_letter / math.log(2),
            "accuracy": right / count,
        }

    def exhibits(self, store: Store, rows: np.ndarray, run: Run) -> dict[str, Exhibit]:
        """What the model writes by itself."""
        tokenizer = "whitespace" if self.facts.tokens == GIVEN else self.facts.tokens

        def carry(x_BTK: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
            shape = x_BTK.shape[:2]
            nothing = np.zeros(shape, dtype=np.int64)
            lengths_B = np.full(shape[0], shape[1], dtype=np.int64)
            batch = Batch(
                inputs=x_BTK, lengths=lengths_B, targets=nothing, weights=nothing.astype(np.float32)
            )
            outputs, after = run(batch, state)
            return outputs, after

        texts = []
        for temperature in _TEMPERATURES:
            sampling = Sampling(temperature=temperature)
            chance = np.random.default_rng(0)
            words = drawn(carry, None, self.words(), [END], _SAMPLE, sampling, chance)
            texts.append(f"— temperature {temperature:g}:\n{joined(list(words), tokenizer)}")
        about = f"{_SAMPLE} tokens that the model wrote by itself, at each temperature."
        return {"samples": Text(about=about, text="\n\n".join(texts))}

    def baselines(
        self, store: Store, split: Split, fold: int | None
    ) -> dict[str, dict[str, float]]:
        """Counts of single tokens and of pairs in training rows (Witten and Bell, 1991)."""
        train, scored = (self._ids(store, part) for part in ("train", split))
        size = self.vocabulary
        count_V = np.bincount(train, minlength=size)
        share_V = (count_V + 1) / (len(train) + size)
        before, after = scored[:-1], scored[1:]
        pairs, times = np.unique(train[:-1] * size + train[1:], return_counts=True)
        total_V = np.bincount(pairs // size, weights=times, minlength=size)
        kinds_V = np.bincount(pairs // size, minlength=size)
        place = np.minimum(np.searchsorted(pairs, before * size + after), len(pairs) - 1)
        seen = np.where(pairs[place] == before * size + after, times[place], 0)
        # The more kinds of token followed, the more is left for those that never did.
        rest = kinds_V[before] * share_V[after]
        known = (total_V + kinds_V)[before]
        pair = np.where(known > 0, (seen + rest) / np.maximum(known, 1), share_V[after])
        most = int(count_V.argmax())
        best = np.full(size, most)
        order = np.argsort(times, kind="stable")
        best[pairs[order] // size] = pairs[order] % size
        return {
            "single tokens": self._naive(after, share_V[after], np.full(len(after), most)),
            "pairs of tokens": self._naive(after, pair, best[before]),
        }

    def prediction_rows(self, steps: Steps) -> np.ndarray:
        """Each text by itself, predicted from its second token on."""
        count_S = steps.length_S.astype(np.int64) - 1
        return np.stack([steps.offset_S, count_S, np.zeros_like(count_S)], axis=-1)

    def is_labelled(self, steps: Steps) -> bool:
        return bool((steps.length_S > 1).any())

    def decode(
        self, steps: Steps, rows: np.ndarray, outputs: Outputs, batch: Batch
    ) -> dict[str, list[Any]]:
        """For each text how likely it is: its tokens, nats per token and perplexity."""
        top_BT1 = outputs.max(axis=-1, keepdims=True)
        total_BT = np.log(np.exp(outputs - top_BT1).sum(axis=-1)) + top_BT1[..., 0]
        chosen_BT = np.take_along_axis(outputs, batch.targets[..., None], axis=-1)[..., 0]
        loss_B = ((total_BT - chosen_BT) * batch.weights).sum(axis=1)
        nats_B = loss_B / np.maximum(batch.weights.sum(axis=1), 1)
        owner_B = np.searchsorted(steps.offset_S, rows[:, 0], side="right") - 1
        return {
            "id": [steps.ids[owner] for owner in owner_B],
            "tokens": rows[:, 1].tolist(),
            "nats_per_token": nats_B.tolist(),
            "perplexity": np.exp(np.minimum(nats_B, 700)).tolist(),
        }

    def _span(self, store: Store, split: Split) -> tuple[int, int]:
        """Where a split's stream begins and ends among all tokens."""
        mine = np.flatnonzero(store.split_S == SPLITS.index(split))
        first, last = mine[0], mine[-1]
        assert len(mine) == last - first + 1, "a stream lies in one piece"
        return int(store.offset_S[first]), int(store.offset_S[last] + store.length_S[last])

    def _ids(self, store: Store, split: Split) -> np.ndarray:
        first, end = self._span(store, split)
        return self.reader.ids(store, np.arange(first, end))[:, 0]

    def _naive(self, targets: np.ndarray, share: np.ndarray, guess: np.ndarray) -> dict[str, float]:
        loss = -float(np.log(share).sum())
        letters = float(self._length_V[targets].sum())
        right = float((guess == targets).sum())
        return self.metrics([loss, len(targets), letters, right, 0.0])

    def _spelled(self, word: str) -> int:
        """Characters of the text that a token stands for; words count the space behind them."""
        apart = self.facts.tokens in ("word", "whitespace", "given") and word != END
        return len(word) + apart
