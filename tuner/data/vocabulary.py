"""Which tokens are known: those of training rows, frequent ones first.

N tokens of all sequences   V forms, each token as it is written
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tuner.data.sequences import Sequences


def ordered(
    sequences: Sequences, train_N: np.ndarray, most: int | None
) -> tuple[Sequences, tuple[str, ...]]:
    """Numbers the forms anew, by frequency in training rows, and gives those that are known.

    Args:
        most: how many may be known at the most; None for all.
    """
    assert sequences.token_N is not None
    forms = np.asarray(sequences.forms, dtype=object)
    count_V = counts(sequences.token_N[train_N], len(forms))
    order_V = np.lexsort((forms, -count_V))
    number_V = np.empty(len(forms), dtype=np.int32)
    number_V[order_V] = np.arange(len(forms), dtype=np.int32)
    known = min(int((count_V > 0).sum()), most or len(forms))
    spelled = tuple(forms[order_V].tolist())
    renumbered = replace(sequences, token_N=number_V[sequences.token_N], forms=spelled)
    return renumbered, spelled[:known]


def counts(token_N: np.ndarray, known: int) -> np.ndarray:
    """int64: how often each of the first `known` forms stands among some tokens."""
    return np.bincount(token_N, minlength=known)[:known]


def joined(sequences: Sequences, words: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Tokens numbered after a known vocabulary, and all forms: the known words, then the others."""
    assert sequences.token_N is not None
    numbers = {form: number for number, form in enumerate(words)}
    others = [form for form in sequences.forms if form not in numbers]
    numbers |= {form: number for number, form in enumerate(others, len(words))}
    number_V = np.array([numbers[form] for form in sequences.forms], dtype=np.int32)
    return number_V[sequences.token_N], (*words, *others)
