"""Tasks whose rows are whole sequences, of features or of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuner.data.card import SPLITS
from tuner.tasks._base import Facts, Split, Task
from tuner.tasks._inputs import Reader, SequenceInputs

if TYPE_CHECKING:
    from tuner.data.store import Steps, Store


class SequenceTask(Task):
    """What such tasks share: how a sequence is read, which there are, and how long they are."""

    def __init__(self, inputs: SequenceInputs, facts: Facts) -> None:
        self.facts = facts
        self.reader = Reader(inputs, facts)
        self.num_inputs, self.vocabulary = self.reader.num_inputs, self.reader.vocabulary
        self.characters = self.reader.characters

    def words(self) -> Sequence[str]:
        return self.reader.words()

    def rows(self, store: Store, split: Split, fold: int | None) -> np.ndarray:
        if fold is None or split == "test":
            return np.flatnonzero(store.split_S == SPLITS.index(split))
        if split == "validation":
            return np.flatnonzero(store.fold_S == fold)
        return np.flatnonzero((store.split_S == 0) & (store.fold_S != fold))

    def step_names(self, steps: Steps, row: int) -> list[str]:
        if steps.token_N is None or self.lengths(steps, np.array([row])) is None:
            return []
        begin = int(steps.offset_S[row])
        return [steps.forms[v] for v in steps.token_N[begin : begin + int(steps.length_S[row])]]

    def lengths(self, steps: Steps, rows: np.ndarray) -> np.ndarray | None:
        return self.reader.lengths(steps, rows)

    def prediction_rows(self, steps: Steps) -> np.ndarray:
        return np.arange(len(steps.length_S))
