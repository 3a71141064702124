"""Raw files to one memory-mapped Arrow preparation: read once, checked, fitted, written whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tuner.data import (
    categories,
    checks,
    deriving,
    features,
    files,
    fitting,
    grouping,
    histories,
    meaning,
    reading,
    rules,
    side,
    splits,
    tags,
    target_texts,
    targets,
    texts,
    times,
    vocabulary,
    writing,
)
from tuner.data import labels as labelling
from tuner.data.answers import Answers, Groups
from tuner.data.card import SPLITS, DataCard, DataFile, Lengths, TaskData
from tuner.data.config import DataConfig, Folds, Origins
from tuner.data.files import changed_files
from tuner.data.layout import Layout
from tuner.data.sequences import Part, Sequences
from tuner.data.splits import TEST, TRAIN, VALIDATION, Assigned
from tuner.data.table import RawTable
from tuner.errors import DataError, Mistake

__all__ = ["changed_files", "prepare"]


@dataclass(frozen=True)
class _Source:
    """One raw file of the spec."""

    spelled: str
    path: Path
    split: int


def prepare(config: DataConfig, task: TaskData, root: Path, folder: Path, seed: int) -> DataCard:
    """Reads, checks, splits and fits the data of a sweep, and writes it for all lanes.

    Args:
        config: the spec's section.
        task: what preparation must know of the task.
        root: folder that relative paths start from.
        folder: to be made; a `Store` opens it.
        seed: of the splits.

    Raises:
        DataError: every mistake that can be found; nothing was written.
        OSError: the disk is full or gone.
    """
    mistakes: list[Mistake] = []
    warnings: list[str] = []
    sources = _sources(config, root, mistakes)
    before = [_stamp(source.path) for source in sources]
    paths = [source.path for source in sources]
    layout = meaning.first_layout(config, task, paths, mistakes)
    rules.check(config, task, layout, mistakes)
    if config.vectors and (path := _located(root, config.vectors, mistakes)):
        mistakes += filter(None, [files.refusal(path)])
    tables = reading.read_all(paths, layout, mistakes)
    if config.format and layout.format is None:
        # An extension that stands for nothing is why a format was named at all.
        mistakes[:] = [mistake for mistake in mistakes if mistake.code != "data/extension"]
    # What can be read is checked, whatever cannot.
    parts = [Part(split=s.split, table=t) for s, t in zip(sources, tables, strict=True) if t]
    found = parts and meaning.resolved(layout, task, [p.table for p in parts], mistakes, warnings)
    if not found:
        raise DataError(mistakes)
    sequences = texts.read(parts, found, task, mistakes, warnings)
    sequences = deriving.derived(sequences, found, mistakes)
    answers = _answers(sequences, found, mistakes)
    groups = _groups(sequences, found, mistakes)
    side_SX = side.read(sequences, found, mistakes)
    if mistakes:
        raise DataError(mistakes)
    target_words: tuple[str, ...] = ()
    if task.kind == "sequence":
        if task.target == "none":
            assigned = splits.by_position(sequences, config, mistakes)
        else:
            strata_S = answers.strata_S
            group_S = None if groups is None else groups.number_S
            assigned = splits.by_sequence(sequences, strata_S, config, seed, mistakes, group_S)
        if texts.learns(found) and not mistakes:
            found = texts.learn(sequences, found, assigned, config)
            sequences = texts.read(parts, found, task, mistakes, warnings)
            assigned = assigned.over(sequences)
        if answers.text_S is not None and not mistakes:
            found = target_texts.learned(answers.text_S, found, assigned, config)
            tokens = target_texts.cut(answers.text_S, found, sequences, mistakes)
            tokens, target_words = target_texts.ordered(tokens, assigned, config, mistakes)
            answers = replace(answers, tokens=tokens)
            if task.aligned:
                target_texts.align(tokens, sequences, assigned, mistakes, warnings)
        if not mistakes:
            _check(
                *(sequences, found, task, answers, groups, side_SX, assigned, config),
                mistakes,
                warnings,
            )
    else:
        assigned = splits.by_time(sequences, config, mistakes)
        if not mistakes:
            if task.kind == "history":
                histories.check(sequences, assigned, config, mistakes, warnings)
            else:
                checks.check_series(sequences, assigned, task, config, mistakes, warnings)
    if not mistakes:
        sequences, found = categories.fitted(sequences, found, assigned, warnings)
        found = deriving.with_step(found, sequences)
        features.check(sequences, found, answers.label_S, assigned, mistakes, warnings)
        side.check(side_SX, found.static, assigned, mistakes, warnings)
    _refuse_moved(sources, before, mistakes)
    if mistakes:
        raise DataError(mistakes)
    words: tuple[str, ...] = ()
    if sequences.token_N is not None:
        sequences, words = vocabulary.ordered(sequences, assigned.train_N, config.vocabulary)
    both = words, target_words
    card = _card(
        *(config, task, found, sources, sequences, both, answers, side_SX, assigned), warnings
    )
    writing.write(folder, card, sequences, answers, side_SX, assigned)
    return card


def _answers(sequences: Sequences, layout: Layout, mistakes: list[Mistake]) -> Answers:
    """The labels of all sequences or steps."""
    label_S = np.full(len(sequences.offset_S), -1, dtype=np.int32)
    if layout.target == "numbers":
        number_NC = targets.read_steps(sequences, layout.targets, mistakes, complete=True)
        return Answers((), label_S, number_NC=number_NC)
    if layout.targets:
        target_SC = targets.read(sequences, layout.targets, mistakes, complete=True)
        return Answers((), label_S, target_SC=target_SC)
    if layout.target_text:
        text_S = target_texts.read(sequences, layout, mistakes, complete=True)
        return Answers((), label_S, text_S=text_S)
    if layout.label is None:
        return Answers((), label_S)
    if layout.target == "tags":
        tag_N, spelled = tags.read(sequences, layout.label, mistakes, complete=True)
        names = labelling.classes(spelled, layout.label, mistakes)
        return Answers(names, label_S, tags.numbered(tag_N, spelled, names))
    texts_S = labelling.read(sequences, layout.label, mistakes, complete=True)
    names = labelling.classes(texts_S, layout.label, mistakes)
    return Answers(names, labelling.numbered(texts_S, names))


def _groups(sequences: Sequences, layout: Layout, mistakes: list[Mistake]) -> Groups | None:
    """The group of each sequence, where sequences have groups."""
    if layout.group is None:
        return None
    texts_S = labelling.read(sequences, layout.group, mistakes, complete=True, what="group")
    names = sorted({name for name in texts_S if name is not None})
    return Groups(names, labelling.numbered(texts_S, names))


def _check(
    sequences: Sequences,
    layout: Layout,
    task: TaskData,
    answers: Answers,
    groups: Groups | None,
    side_SX: np.ndarray | None,
    assigned: Assigned,
    config: DataConfig,
    mistakes: list[Mistake],
    warnings: list[str],
) -> None:
    """Refuses splits of sequences that nothing could be learned from, or that share anything."""
    if layout.label:
        checks.check_classes(answers, sequences, assigned, config, mistakes, warnings)
    if answers.target_SC is not None:
        train_S = assigned.split_S == TRAIN
        targets.check(sequences, answers.target_SC, layout.targets, train_S, mistakes, warnings)
    if groups is not None:
        grouping.check(groups.number_S, groups.names, assigned, config, mistakes)
    checks.check_sequences(sequences, assigned, task, config, side_SX, mistakes, warnings)


def _sources(config: DataConfig, root: Path, mistakes: list[Mistake]) -> list[_Source]:
    """Every file on this machine; those of object stores are fetched."""
    named = [(TRAIN, config.train), (VALIDATION, config.validation), (TEST, config.test)]
    return [
        _Source(spelled, path, split)
        for split, given in named
        if isinstance(given, str | list)
        for spelled in files.paths(given)
        if (path := _located(root, spelled, mistakes)) is not None
    ]


def _located(root: Path, spelled: str, mistakes: list[Mistake]) -> Path | None:
    try:
        return files.local(root, spelled)
    except DataError as absent:
        mistakes += absent.mistakes
        return None


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when a file is written."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _refuse_moved(
    sources: Sequence[_Source], before: Sequence[tuple[int, int] | None], bad: list[Mistake]
) -> None:
    for source, stamp in zip(sources, before, strict=True):
        if _stamp(source.path) != stamp:
            bad.append(
                Mistake(
                    code="data/moving",
                    rule="a data file must stay as it is while it is read",
                    where=files.shown(source.path),
                    got="a change",
                    fix="Wait until it is written, then start again.",
                )
            )


def _card(
    config: DataConfig,
    task: TaskData,
    layout: Layout,
    sources: Sequence[_Source],
    sequences: Sequences,
    words: tuple[tuple[str, ...], tuple[str, ...]],
    answers: Answers,
    side_SX: np.ndarray | None,
    assigned: Assigned,
    warnings: Sequence[str],
) -> DataCard:
    names = layout.names
    num_sequences, num_steps = _counts(sequences, task, assigned)
    observed = sequences.observed_NF
    num_folds = _num_folds(config)
    known, target_known = words
    target_forms = () if answers.tokens is None else answers.tokens.forms
    return DataCard(
        kind=task.kind,
        features=names,
        target_channels=tuple(names.index(c) for c in layout.channels or ()),
        labels=tuple(answers.names),
        vocabulary=known,
        unseen=tuple(sequences.forms[len(known) :]),
        target_vocabulary=target_known,
        target_unseen=tuple(target_forms[len(target_known) :]),
        num_folds=num_folds,
        num_sequences=num_sequences,
        num_steps=num_steps,
        num_missing=0 if observed is None else int(observed.size - observed.sum(dtype=np.int64)),
        lengths=Lengths(
            minimum=int(sequences.length_S.min()),
            median=float(np.median(sequences.length_S)),
            maximum=int(sequences.length_S.max()),
        ),
        step_seconds=times.step_seconds(sequences),
        layout=layout,
        files=tuple(
            file
            for source, table in zip(sources, sequences.tables, strict=True)
            for file in _files(source, table)
        ),
        warnings=tuple(warnings),
        statistics=fitting.fitted(
            *(sequences, len(known), len(target_known), answers, side_SX, assigned, task, config),
            layout,
        ),
    )


def _files(source: _Source, table: RawTable) -> Iterator[DataFile]:
    """A file and those that it names."""
    split = SPLITS[source.split]
    yield DataFile(
        path=source.spelled,
        split=split,
        sha256=files.sha256(source.path),
        num_bytes=0 if source.path.is_dir() else source.path.stat().st_size,
    )
    folder = Path(source.spelled).parent
    for file in table.beside:
        yield DataFile(
            path=str(folder / file.name),
            split=split,
            sha256=file.sha256,
            num_bytes=file.num_bytes,
        )


def _num_folds(config: DataConfig) -> int:
    match config.validation:
        case Folds(folds=number) | Origins(origins=number):
            return number
    return 0


def _counts(
    sequences: Sequences, task: TaskData, assigned: Assigned
) -> tuple[dict[str, int], dict[str, int]]:
    """Sequences and steps of each split."""
    if task.kind == "sequence":
        members = [assigned.split_S == split for split in range(len(SPLITS))]
        lengths = [sequences.length_S * mine for mine in members]
    else:
        bounds = assigned.bounds
        lengths = [
            bounds["train_end"],
            bounds["validation_end"] - bounds["validation_start"],
            bounds["test_end"] - bounds["test_start"],
        ]
    return (
        {n: int((each > 0).sum()) for n, each in zip(SPLITS, lengths, strict=True)},
        {n: int(each.sum()) for n, each in zip(SPLITS, lengths, strict=True)},
    )
