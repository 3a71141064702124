"""Everything that is fitted, once on all training rows and once without each fold's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tuner.data import origins, seasons, statistics, target_texts, times, vocabulary
from tuner.data.answers import Answers
from tuner.data.card import Statistics, TaskData
from tuner.data.config import Clip, DataConfig, Folds, Origins
from tuner.data.layout import Layout
from tuner.data.sequences import Sequences
from tuner.data.splits import TRAIN, Assigned


def fitted(
    sequences: Sequences,
    num_words: int,
    num_target_words: int,
    answers: Answers,
    side_SX: np.ndarray | None,
    assigned: Assigned,
    task: TaskData,
    config: DataConfig,
    layout: Layout,
) -> dict[str, Statistics]:
    """Statistics by fold: `all`, `0`, `1`, …"""
    token_N, found = sequences.token_N, {}
    steps = seasons.season(task.season, times.step_seconds(sequences)) or 1
    for name, train_S, train_N in _trained(sequences, assigned, task, config):
        each = statistics.fit(
            sequences.values_NF,
            train_N,
            answers.of(train_S, train_N),
            len(answers.names),
            None if token_N is None else vocabulary.counts(token_N[train_N], num_words),
            answers.numbers(train_S, train_N),
        )
        if answers.tokens is not None:
            texts = answers.tokens, sequences.length_S, train_S, num_target_words
            each = replace(each, **target_texts.fitted(*texts))
        if sequences.observed_NF is not None:
            absent_F = (sequences.observed_NF[train_N] == 0).sum(axis=0)
            each = replace(each, missing=tuple(absent_F.tolist()))
        each = _plain(each, layout.roles.plain)
        if config.clip is not None:
            each = _clipped(each, sequences.values_NF, train_N, config.clip, layout.roles.plain)
        if side_SX is not None:
            numbers_SX = side_SX[:, : len(layout.static)]
            beside = statistics.fit(numbers_SX, train_S, np.zeros(0, int), 0)
            if config.clip is not None:
                beside = _clipped(beside, numbers_SX, train_S, config.clip, ())
            each = replace(each, side=beside)
        if task.kind == "series":
            each = seasons.with_naive(each, sequences, train_N, steps)
        found[name] = each
    return found


def _trained(
    sequences: Sequences, assigned: Assigned, task: TaskData, config: DataConfig
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Which sequences and rows train: in all, and without each fold."""
    train_S, rule = assigned.split_S == TRAIN, config.validation
    yield "all", train_S, assigned.train_N
    if isinstance(rule, Folds):
        for fold in range(rule.folds):
            kept_S = train_S & (assigned.fold_S != fold)
            yield str(fold), kept_S, np.repeat(kept_S, sequences.length_S)
    elif isinstance(rule, Origins):
        offset_N = np.repeat(sequences.offset_S, sequences.length_S)
        place_N = np.arange(len(offset_N)) - offset_N
        for fold in range(rule.origins):
            end_S, _, _ = origins.spans(
                assigned.bounds["train_end"], rule.origins, fold, task.horizon
            )
            yield str(fold), train_S, place_N < np.repeat(end_S, sequences.length_S)


def _plain(fitted: Statistics, places: Sequence[int]) -> Statistics:
    """Facts by which plain channels stay as they are, however the others are scaled."""
    names = ("mean", "std", "minimum", "maximum", "median", "spread")
    facts = {name: list(getattr(fitted, name)) for name in names}
    for place in places:
        for name, value in zip(names, (0.0, 1.0, 0.0, 1.0, 0.0, 1.0), strict=True):
            facts[name][place] = value
    known: dict[str, Any] = {name: tuple(values) for name, values in facts.items()}
    return replace(fitted, **known)


def _clipped(
    fitted: Statistics, values_NF: np.ndarray, train_N: np.ndarray, clip: Clip, plain: Sequence[int]
) -> Statistics:
    low, high = [], []
    for f, (mean, std) in enumerate(zip(fitted.mean, fitted.std, strict=True)):
        if f in plain:
            limits = -1.0, 1.0
        elif clip.sigma is not None:
            limits = mean - clip.sigma * std, mean + clip.sigma * std
        else:
            assert clip.quantile is not None
            x_N = values_NF[train_N, f]
            x_N = x_N[~np.isnan(x_N)]
            levels = (clip.quantile, 1 - clip.quantile)
            below, above = np.quantile(x_N, levels) if len(x_N) else (0.0, 0.0)
            limits = float(below), float(above)
        low.append(limits[0])
        high.append(limits[1])
    return replace(fitted, low=tuple(low), high=tuple(high))
