"""A text for each picture: captions, or the layout that a screenshot was drawn from.

A small convolutional encoder makes patches of a picture, which recurrent layers read row by row;
a decoder gives the text and looks back at them. Features that are given instead, a sequence for
each text, are read as they are.
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
    "bleu_4": "maximize",
    "bleu_3": "maximize",
    "bleu_2": "maximize",
    "bleu_1": "maximize",
    "token_error": "minimize",
    "exact_match": "maximize",
    "loss": "minimize",
    "perplexity": "minimize",
}
"""Metric → direction; the first is the default objective. BLEU is of n-grams up to n; `token_error`
the mean over texts of places where another token stands, or none, by the longer text's tokens
(Beltramelli, 2018); `loss`, nats per token with the end of each text, and `perplexity` are of texts
read as they stand (teacher forcing), all others of texts that are decoded freely."""

AUGMENTED = frozenset({"values"})

DECODES = True
"""Its networks say texts."""


class Config(DecodedConfig):
    """Options of the task."""

    name: Literal["captioning"] = "captioning"


class InputConfig(SequenceInputs):
    """How a picture becomes an input."""

    scaling: Literal["standard", "robust", "minmax", "none"] = "none"
    """Of pixels, which lie in [0, 1], or of the features that are given."""


def data(options: Config) -> TaskData:
    """A text for each picture, by default of words."""
    return TaskData(kind="sequence", target="tokens")


def create(
    options: Config, inputs: InputConfig, facts: Facts, losses: LossConfig | None = None
) -> Task:
    """Makes the task for one data set."""
    return Captioning(options, inputs, facts, losses or LossConfig())


class Captioning(DecodedTask):
    """Texts by BLEU of each order, matches, and tokens that stand elsewhere."""

    def measured(
        self, sums: dict[str, float], errors: dict[str, float], bleu: Sequence[float]
    ) -> dict[str, float]:
        texts, nats = max(sums["texts"], 1.0), sums["loss"] / max(sums["loss_tokens"], 1.0)
        return {
            **{f"bleu_{order}": _bleu.score(bleu, order) for order in (4, 3, 2, 1)},
            "token_error": sums["misplaced"] / texts,
            "exact_match": sums["exact"] / texts,
            "loss": nats,
            "perplexity": perplexity(nats),
        }
