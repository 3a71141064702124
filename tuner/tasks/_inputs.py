"""What a model reads of sequences: features, scaled, or the ids of tokens and their characters.

B rows   T steps   F features   K ids per step: the token's, then those of its characters
V forms, each token as it is written
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from tuner.data.ids import FIRST, UNKNOWN
from tuner.part import Config
from tuner.tasks import _cleaning
from tuner.tasks._base import Facts, scaled

if TYPE_CHECKING:
    from tuner.data.store import Steps


class SequenceInputs(Config):
    """How a sequence becomes an input."""

    scaling: Literal["standard", "robust", "minmax", "none"] = "standard"
    """Per feature, fitted on the training rows: to mean 0 and deviation 1, to median 0 and
    quartiles one apart, to [0, 1], or as is."""
    smooth: int = Field(default=1, ge=1)
    """Steps that a feature is the mean of; 1 leaves features as they are."""
    centred: bool = False
    """Whether half of the steps that are smoothed over lie after the step, instead of none."""
    missing_mask: bool = False
    """Tell, by an input of 0 or 1 for each feature with missing values, which were observed."""
    min_count: int = Field(default=1, ge=1)
    """How often a token must stand in the training rows to be known."""
    characters: int = Field(default=0, ge=0, le=64)
    """How many of each token's characters the model reads beside the token; 0 for none."""
    encoding: Literal["ids", "one_hot", "bag_of_words"] = "ids"
    """What a model reads of tokens: ids, which it embeds; one input for each known token; or the
    share that each has of the whole sequence, which is then one step."""


class Reader:
    """Cuts the inputs of some rows."""

    def __init__(self, config: SequenceInputs, facts: Facts) -> None:
        self._config, self._facts = config, facts
        self._last: tuple[Sequence[str], np.ndarray] | None = None
        self._counts_V = np.asarray(facts.statistics.token_counts, dtype=np.int64)
        self._known = np.flatnonzero(self._counts_V >= config.min_count)
        letters = sorted({letter for form in facts.vocabulary for letter in form})
        self._letters = {letter: number for number, letter in enumerate(letters, FIRST)}
        self._masked = _cleaning.masked(facts) if config.missing_mask else np.zeros(0, dtype=int)
        self.num_inputs = len(facts.features) + len(self._masked)
        self.vocabulary = len(self._known) + FIRST if facts.vocabulary else 0
        self.characters = len(letters) + FIRST if facts.vocabulary and config.characters else 0
        if self.vocabulary and config.encoding != "ids":
            self.num_inputs, self.vocabulary, self.characters = self.vocabulary, 0, 0

    def lengths(self, steps: Steps, rows: np.ndarray) -> np.ndarray | None:
        """Input steps of each row; None where all rows are as long."""
        if steps.token_N is not None and self._config.encoding == "bag_of_words":
            return None
        lengths_R: np.ndarray = steps.length_S[rows]
        return lengths_R

    def cut(self, steps: Steps, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The inputs of some sequences, padded on the right: x_BTF float32, or x_BTK int64.

        Returns:
            The inputs, lengths_B int64, and index_BT: where each step lies among all steps, -1 for
            padding.
        """
        lengths_B = steps.length_S[rows].astype(np.int64)
        times_T = np.arange(lengths_B.max(initial=1))
        valid_BT = times_T < lengths_B[:, None]
        index_BT = np.where(valid_BT, steps.offset_S[rows][:, None] + times_T, -1)
        if steps.token_N is not None:
            ids_BTK = self.ids(steps, index_BT)
            if self._config.encoding == "ids":
                return ids_BTK, lengths_B, index_BT
            x_BTF = np.eye(self.num_inputs, dtype=np.float32)[ids_BTK[..., 0]]
            x_BTF[~valid_BT] = 0
            if self._config.encoding == "bag_of_words":
                x_BTF = x_BTF.sum(axis=1, keepdims=True) / lengths_B[:, None, None]
                return x_BTF.astype(np.float32), np.ones_like(lengths_B), index_BT
            return x_BTF, lengths_B, index_BT
        x_BTF = self._features(steps, index_BT, valid_BT)
        return np.ascontiguousarray(x_BTF, dtype=np.float32), lengths_B, index_BT

    def scaled(self, x_BF: np.ndarray) -> np.ndarray:
        """Features of single steps, none of them missing, as `cut` gives them."""
        x_BF = _cleaning.clipped(x_BF, self._facts.statistics)
        return scaled(x_BF, self._facts.statistics, self._config.scaling).astype(np.float32)

    def side(self, steps: Steps, rows: np.ndarray) -> np.ndarray | None:
        """side_BX, float32: what stands beside some sequences; None where nothing does.

        Its numbers are clipped and scaled as features are, a missing one being the training mean;
        pixels stay as they are.
        """
        if steps.side_SX is None:
            return None
        side_BX = np.array(steps.side_SX[rows], dtype=np.float32)
        fitted, count = self._facts.statistics.side, len(self._facts.static)
        if fitted is not None and count:
            numbers_BX = side_BX[:, :count]
            mean_X = np.asarray(fitted.mean, dtype=np.float32)
            numbers_BX = np.where(np.isnan(numbers_BX), mean_X, numbers_BX)
            numbers_BX = _cleaning.clipped(numbers_BX, fitted)
            side_BX[:, :count] = scaled(numbers_BX, fitted, self._config.scaling)
        return side_BX

    def _features(self, steps: Steps, index_BT: np.ndarray, valid_BT: np.ndarray) -> np.ndarray:
        """x_BTF: clipped, smoothed, scaled, what was observed beside it; 0 where padded or missing.

        A missing value that the policy left open becomes the training mean.
        """
        config, facts = self._config, self._facts
        x_BTF = _cleaning.clipped(steps.values_NF[index_BT], facts.statistics)
        if config.smooth > 1:
            before = config.smooth // 2 if config.centred else config.smooth - 1
            after = config.smooth - 1 - before
            x_BTF = np.where(valid_BT[..., None], x_BTF, np.float32(np.nan))
            ends = ((0, 0), (before, after), (0, 0))
            x_BTF = np.pad(x_BTF, ends, constant_values=np.nan)
            x_BTF = _cleaning.smoothed(x_BTF, before, after, facts)
        x_BTF = scaled(x_BTF, facts.statistics, config.scaling)
        if len(self._masked):
            seen_BTM = _cleaning.observed(steps, index_BT, self._masked)
            x_BTF = np.concatenate([x_BTF, seen_BTM], axis=2)
        return np.where(valid_BT[..., None] & np.isfinite(x_BTF), x_BTF, np.float32(0))

    def ids(self, steps: Steps, index_BT: np.ndarray) -> np.ndarray:
        """x_BTK of some steps; 0 where the index is -1."""
        assert steps.token_N is not None
        x_BTK: np.ndarray = self._table(steps.forms)[steps.token_N[index_BT]]
        x_BTK[index_BT < 0] = 0
        return x_BTK

    def words(self) -> list[str]:
        """The token of each known id, from the first known one on."""
        return [self._facts.vocabulary[v] for v in self._known]

    def _table(self, forms: Sequence[str]) -> np.ndarray:
        """table_VK: the ids of each form, made once for the forms of one preparation.

        Forms begin with the vocabulary of all training rows, of which a fold may lack some.
        """
        if self._last is not None and self._last[0] is forms:
            return self._last[1]
        most = self._config.characters
        table_VK = np.zeros((len(forms), 1 + most), dtype=np.int64)
        table_VK[:, 0] = UNKNOWN
        table_VK[self._known, 0] = np.arange(len(self._known)) + FIRST
        for v, form in enumerate(forms if most else ()):
            letters = [self._letters.get(letter, UNKNOWN) for letter in form[:most]]
            table_VK[v, 1 : 1 + len(letters)] = letters
        self._last = forms, table_VK
        return table_VK
