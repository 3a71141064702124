"""What is to be learned of sequences: a class, numbers, a tag for each step, a text, or nothing.

N steps   S sequences
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuner.data import targets
from tuner.data.store import TargetTokens


@dataclass(frozen=True, eq=False)
class Answers:
    """Labels by number, -1 where there is none."""

    names: Sequence[str]
    """Classes or tags in the order of their numbers; none where nothing is labelled."""
    label_S: np.ndarray
    """int32: the class of each sequence."""
    tag_N: np.ndarray | None = None
    """int32: the tag of each step; None where sequences have classes, or nothing."""

    target_SC: np.ndarray | None = None
    """float32: the numbers that each sequence stands for; None where it stands for none."""
    text_S: Sequence[str | None] | None = None
    """The text that each sequence stands for; None where it stands for none."""
    tokens: TargetTokens | None = None
    """The same as tokens, once a tokenizer has learned from training rows."""
    number_NC: np.ndarray | None = None
    """float32: those of each step; None where steps stand for none."""

    @property
    def strata_S(self) -> np.ndarray:
        """What splits of sequences are to hold as the whole does: classes, or deciles."""
        if self.text_S is not None:
            return np.zeros_like(self.label_S)
        return self.label_S if self.target_SC is None else targets.strata(self.target_SC)

    def numbers(self, kept_S: np.ndarray, kept_N: np.ndarray) -> np.ndarray | None:
        """The numbers of some sequences, whichever kind there is; None without any."""
        found: np.ndarray | None = None
        if self.number_NC is not None:
            found = self.number_NC[kept_N]
        elif self.target_SC is not None:
            found = self.target_SC[kept_S]
        return found

    def of(self, kept_S: np.ndarray, kept_N: np.ndarray) -> np.ndarray:
        """The labels of some sequences, whichever kind there is."""
        labels: np.ndarray = self.label_S[kept_S] if self.tag_N is None else self.tag_N[kept_N]
        return labels


@dataclass(frozen=True, eq=False)
class Groups:
    """Which sequences no split may tear apart."""

    names: Sequence[str]
    number_S: np.ndarray
    """int32: the group of each sequence."""
