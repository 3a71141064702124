"""Target texts as a decoder's ids, and ids as texts again.

B rows   U tokens of the longest target   V forms, each token as it is written
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuner import registry
from tuner.data.ids import FIRST, UNKNOWN
from tuner.tasks._base import Facts

if TYPE_CHECKING:
    from tuner.data.store import Steps

UNKNOWN_WORD = "<unknown>"
"""How a token is spelled that no training target had."""


class TargetReader:
    """Ids: 0 is padding (of CTC the blank), 1 unknown, then what a decoder keeps for itself, then
    the known tokens.

    Args:
        first: id of the first known token.
    """

    def __init__(self, facts: Facts, first: int = FIRST) -> None:
        self._facts, self.first = facts, first
        self._tokenizer = registry.get("tokenizers", facts.target_tokens)
        # A fold may lack tokens of the whole training split.
        counts_V = np.asarray(facts.statistics.target_token_counts, dtype=np.int64)
        self._known = np.flatnonzero(counts_V > 0)
        self._words = [facts.target_vocabulary[v] for v in self._known]
        self._last: tuple[Sequence[str], np.ndarray] | None = None

    @property
    def vocabulary(self) -> int:
        """Number of ids."""
        return self.first + len(self._words)

    @property
    def longest(self) -> int:
        """Tokens of the longest training target."""
        return len(self._facts.statistics.target_lengths) - 1

    def words(self) -> Sequence[str]:
        """The token of each known id, from the first known one on."""
        return self._words

    def cut(self, steps: Steps, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """target_BU, int64, padded with 0 on the right, and its lengths_B; 0 without one."""
        ids_BU, lengths_B = self.written(steps, rows)
        return np.where(ids_BU < self.vocabulary, ids_BU, UNKNOWN), lengths_B

    def written(self, steps: Steps, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same, but tokens that are unknown keep numbers of their own, from `vocabulary` on:
        `spelled` knows them until targets of another preparation are cut."""
        targets = steps.target_tokens
        if targets is None:
            return np.zeros((len(rows), 1), dtype=np.int64), np.zeros(len(rows), dtype=np.int64)
        lengths_B = targets.length_S[rows].astype(np.int64)
        place_U = np.arange(max(int(lengths_B.max(initial=0)), 1))
        valid_BU = place_U < lengths_B[:, None]
        index_BU = np.where(valid_BU, targets.offset_S[rows][:, None] + place_U, 0)
        id_V = self._ids(targets.forms)
        if not len(targets.token_M):
            return np.zeros_like(index_BU), lengths_B
        return np.where(valid_BU, id_V[targets.token_M[index_BU]], 0), lengths_B

    def spelled(self, ids: Iterable[int]) -> list[str]:
        """Ids as tokens; padding and the decoder's own are left out."""
        return [self._word(i) for i in map(int, ids) if i >= self.first or i == UNKNOWN]

    def _word(self, number: int) -> str:
        if number >= self.vocabulary:
            assert self._last is not None, "a token of targets that nobody cut"
            return self._last[0][number - self.vocabulary]
        return UNKNOWN_WORD if number == UNKNOWN else self._words[number - self.first]

    def joined(self, tokens: Sequence[str]) -> str:
        """Tokens as one text."""
        text: str = self._tokenizer.join(tokens)
        return text

    def _ids(self, forms: Sequence[str]) -> np.ndarray:
        """id_V of each form, made once for the forms of one preparation."""
        if self._last is None or self._last[0] is not forms:
            id_V = self.vocabulary + np.arange(len(forms), dtype=np.int64)
            id_V[self._known] = np.arange(len(self._known)) + self.first
            self._last = forms, id_V
        return self._last[1]
