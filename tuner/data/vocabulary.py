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
    token_N, forms, known = by_frequency(sequences.token_N, sequences.forms, train_N, most)
    return replace(sequences, token_N=token_N, forms=forms), forms[:known]


def by_frequency(
    token_N: np.ndarray,
    forms: Sequence[str],
    train_N: np.ndarray,
    most: int | None,
    least: int = 1,
) -> tuple[np.ndarray, tuple[str, ...], int]:
    """Tokens numbered by how often they train, all forms in that order, and how many are known.

    Args:
        most: how many may be known at the most; None for all.
        least: how often a known one must train.
    """
    forms_V = np.asarray(forms, dtype=object)
    count_V = counts(token_N[train_N], len(forms_V))
    order_V = np.lexsort((forms_V, -count_V))
    number_V = np.empty(len(forms_V), dtype=np.int32)
    number_V[order_V] = np.arange(len(forms_V), dtype=np.int32)
    known = min(int((count_V >= least).sum()), most or len(forms_V))
    return number_V[token_N], tuple(forms_V[order_V].tolist()), known


def counts(token_N: np.ndarray, known: int) -> np.ndarray:
    """int64: how often each of the first `known` forms stands among some tokens."""
    return np.bincount(token_N, minlength=known)[:known]


def joined(sequences: Sequences, words: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Tokens numbered after a known vocabulary, and all forms: the known words, then the others."""
    assert sequences.token_N is not None
    return after(sequences.token_N, sequences.forms, words)


def after(
    token_N: np.ndarray, forms: Sequence[str], words: Sequence[str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The same of tokens and their forms."""
    numbers = {form: number for number, form in enumerate(words)}
    others = [form for form in forms if form not in numbers]
    numbers |= {form: number for number, form in enumerate(others, len(words))}
    number_V = np.array([numbers[form] for form in forms], dtype=np.int32)
    return number_V[token_N], (*words, *others)
