"""Target texts: what each sequence stands for, cut into tokens of a vocabulary of their own.

N steps of all sequences   S sequences   M tokens of all targets   R rows of all files   V forms
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tuner import registry
from tuner.data import columns, vocabulary
from tuner.data.config import DataConfig
from tuner.data.files import join_some
from tuner.data.layout import Layout
from tuner.data.sequences import Sequences
from tuner.data.splits import TRAIN, Assigned
from tuner.data.store import TargetTokens
from tuner.errors import Mistake


def read(
    sequences: Sequences, layout: Layout, mistakes: list[Mistake], *, complete: bool
) -> list[str | None]:
    """The text of each sequence; None where it is missing, a mistake if it must be `complete`."""
    name = layout.target_text
    assert name is not None
    texts_R = [
        text
        for table in sequences.tables
        for text in columns.to_strings(table, name, lowercase=layout.lowercase)
    ]
    codes: dict[str, int] = {}
    code_R = np.array(
        [codes.setdefault(text, len(codes)) if text.strip() else -1 for text in texts_R],
        dtype=np.int64,
    )
    code_N = code_R[sequences.row_N]
    absent = _rows(sequences, code_N < 0)
    if complete and len(absent):
        mistakes.append(
            Mistake(
                code="data/missing-target",
                rule=f"target column {name!r} must hold a text everywhere",
                where=sequences.where(absent),
                got=f"{len(absent):,} without one",
                fix="Fill them in or remove their sequences.",
            )
        )
    first_N = np.repeat(code_N[sequences.offset_S], sequences.length_S)
    other = _rows(sequences, (code_N != first_N) & (code_N >= 0) & (first_N >= 0))
    if len(other):
        mistakes.append(
            Mistake(
                code="data/target-varies",
                rule=f"target column {name!r} must hold one text per sequence",
                where=sequences.where(other),
                got=f"{len(other):,} rows that differ from their sequence's first",
                fix="Give each sequence its own id, or one text.",
            )
        )
    spelled = list(codes)
    return [spelled[code] if code >= 0 else None for code in code_N[sequences.offset_S].tolist()]


def _rows(sequences: Sequences, chosen_N: np.ndarray) -> np.ndarray:
    """Some steps, of each row of a file the first: a text has a step for each of its tokens."""
    steps = np.flatnonzero(chosen_N)
    _, first = np.unique(sequences.row_N[steps], return_index=True)
    found: np.ndarray = steps[np.sort(first)]
    return found


def learned(
    text_S: Sequence[str | None], layout: Layout, assigned: Assigned, config: DataConfig
) -> Layout:
    """The layout with what the tokenizer of targets learned from training rows, if it learns."""
    part = registry.get("tokenizers", layout.target_tokens)
    if not hasattr(part, "learn"):
        return layout
    train = (text_S[s] or "" for s in np.flatnonzero(assigned.split_S == TRAIN).tolist())
    size = config.target_vocabulary or part.SIZE
    return replace(layout, target_tokenizer=part.learn(train, size))


def cut(
    text_S: Sequence[str | None], layout: Layout, sequences: Sequences, mistakes: list[Mistake]
) -> TargetTokens:
    """All texts as tokens, numbered as they come; none of what is missing."""
    part = registry.get("tokenizers", layout.target_tokens)
    codes: dict[str, int] = {}
    tokens: list[int] = []
    length_S = np.zeros(len(text_S), dtype=np.int32)
    for s, text in enumerate(text_S):
        found = part.split(text, layout.target_tokenizer) if text else []
        tokens += [codes.setdefault(token, len(codes)) for token in found]
        length_S[s] = len(found)
    bare = [s for s, text in enumerate(text_S) if text and not length_S[s]]
    if bare:
        mistakes.append(
            Mistake(
                code="data/empty-target",
                rule="a target text must hold a token",
                where=sequences.where(sequences.offset_S[bare]),
                got=f"{len(bare):,} without one",
                fix="Remove the rows, or choose other `data/target_tokens`.",
            )
        )
    most = layout.target_max_length
    longer = np.flatnonzero(length_S > most) if most else np.zeros(0, dtype=np.int64)
    if len(longer):
        mistakes.append(
            Mistake(
                code="data/target-too-long",
                rule=f"a target must have at most `data/target_max_length`, {most} tokens",
                where=sequences.where(sequences.offset_S[longer]),
                got=f"{len(longer):,} longer, the longest with {length_S.max():,}",
                fix="Remove their rows, or raise `target_max_length`.",
            )
        )
    return TargetTokens(
        token_M=np.array(tokens, dtype=np.int32),
        offset_S=np.cumsum(length_S, dtype=np.int64) - length_S,
        length_S=length_S,
        forms=tuple(codes),
    )


def ordered(
    tokens: TargetTokens, assigned: Assigned, config: DataConfig, mistakes: list[Mistake]
) -> tuple[TargetTokens, tuple[str, ...]]:
    """Numbers the forms by their frequency in training targets, and gives those that are known."""
    train_M = np.repeat(assigned.split_S == TRAIN, tokens.length_S)
    token_M, forms, known = vocabulary.by_frequency(
        tokens.token_M, tokens.forms, train_M, config.target_vocabulary, config.target_min_count
    )
    if not known:
        mistakes.append(
            Mistake(
                code="data/target-vocabulary",
                rule="some token of the training targets must be known",
                where="data/target_min_count",
                got=f"none that stands there {config.target_min_count} times",
                fix="Lower it, or take other `data/target_tokens`.",
            )
        )
    return replace(tokens, token_M=token_M, forms=forms), forms[:known]


def align(
    tokens: TargetTokens,
    sequences: Sequences,
    assigned: Assigned,
    mistakes: list[Mistake],
    warnings: list[str],
) -> None:
    """Tells of targets that have fewer steps than tokens, with one more between equal ones.

    A model that reads several steps as one may lack some for more of them, and says so itself.
    """
    same_M = np.diff(tokens.token_M, prepend=-1) == 0
    same_M[tokens.offset_S[tokens.length_S > 0]] = False
    before_M = np.concatenate([[0], np.cumsum(same_M)])
    repeats_S = before_M[tokens.offset_S + tokens.length_S] - before_M[tokens.offset_S]
    long_S = tokens.length_S + repeats_S > sequences.length_S
    names = join_some(sequences.name(int(s)) for s in np.flatnonzero(long_S))
    told = f"{int(long_S.sum()):,} of {len(long_S):,}: {names}"
    if long_S[assigned.split_S == TRAIN].all():
        mistakes.append(
            Mistake(
                code="data/target-longer",
                rule="some training target must have as many steps as tokens, and one more between "
                "equal ones",
                where="data/target",
                got=f"fewer for {told}",
                fix="Check the texts, shorten `data/audio/hop`, or take longer "
                "`data/target_tokens`.",
            )
        )
    elif long_S.any():
        warnings.append(
            "targets of more tokens than steps, which training leaves out and no answer can be: "
            f"{told} [data/target-longer]"
        )


def fitted(
    tokens: TargetTokens, length_S: np.ndarray, train_S: np.ndarray, num_words: int
) -> dict[str, Any]:
    """The facts of training targets and of their sequences' steps, as `Statistics` names them."""
    train_M = np.repeat(train_S, tokens.length_S)
    counts_V = vocabulary.counts(tokens.token_M[train_M], num_words)
    return {
        "target_token_counts": tuple(counts_V.tolist()),
        "target_lengths": tuple(np.bincount(tokens.length_S[train_S]).tolist()),
        "target_steps": (int(length_S[train_S].sum()), int(length_S[train_S].max(initial=0))),
    }


def joined(tokens: TargetTokens, words: Sequence[str]) -> TargetTokens:
    """Targets of raw input, numbered after the known vocabulary."""
    token_M, forms = vocabulary.after(tokens.token_M, tokens.forms, words)
    return replace(tokens, token_M=token_M, forms=forms)
