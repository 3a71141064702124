"""A text for each sequence: translation, dates and numbers in words, transcription without a clock.

An encoder reads the sequence, a decoder gives the text and looks back at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from tuner.data.card import TaskData
from tuner.tasks import _bleu
from tuner.tasks._base import Facts, Task
from tuner.tasks._decoded import DecodedConfig, DecodedTask, perplexity
from tuner.tasks._inputs import SequenceInputs
from tuner.tasks._losses import ClassLossConfig as LossConfig

METRICS = {
    "bleu": "maximize",
    "exact_match": "maximize",
    "wer": "minimize",
    "cer": "minimize",
    "loss": "minimize",
    "perplexity": "minimize",
}
"""Metric → direction; the first is the default objective. `loss`, nats per token with the end of
each text, and `perplexity` are of targets read as they stand (teacher forcing); all others are of
texts that are decoded freely. Word and character errors are edits by the reference."""

AUGMENTED = frozenset({"values"})

DECODES = True
"""Its networks say texts."""


class Config(DecodedConfig):
    """Options of the task."""

    name: Literal["seq2seq"] = "seq2seq"


InputConfig = SequenceInputs


def data(options: Config) -> TaskData:
    """A text for each sequence, by default of words."""
    return TaskData(kind="sequence", target="tokens")


def create(
    options: Config, inputs: InputConfig, facts: Facts, losses: LossConfig | None = None
) -> Task:
    """Makes the task for one data set."""
    return Seq2Seq(options, inputs, facts, losses or LossConfig())


class Seq2Seq(DecodedTask):
    """Texts by BLEU, matches, and errors of words and characters."""

    def measured(
        self, sums: dict[str, float], errors: dict[str, float], bleu: Sequence[float]
    ) -> dict[str, float]:
        nats = sums["loss"] / max(sums["loss_tokens"], 1.0)
        return {
            "bleu": _bleu.score(bleu),
            "exact_match": sums["exact"] / max(sums["texts"], 1.0),
            "wer": errors["word"],
            "cer": errors["character"],
            "loss": nats,
            "perplexity": perplexity(nats),
        }
