"""What was found, in 80 columns."""

from __future__ import annotations

import textwrap
from collections import Counter

import numpy as np

from tuner.data import columns
from tuner.data.extensions import FOLDER
from tuner.data.files import join_some
from tuner.first_contact import clocks, suspects
from tuner.first_contact.draft import Draft
from tuner.first_contact.look import Look

_WIDTH = 80
_HEAD = 12
_MOST_CLASSES = 10
_RARE = 10
_USES = {"train": "to learn from", "validation": "ranks trials", "test": "scored once"}


def line(head: str, text: str) -> str:
    """One finding, wrapped under its head."""
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=f"{head:{_HEAD}}",
        subsequent_indent=" " * _HEAD,
        break_on_hyphens=False,
    )


def findings(look: Look, draft: Draft) -> list[str]:
    """Files, sequences, classes, holes, times, suspicious columns, and what was chosen."""
    found = [("data", text) for text in _files(look, draft)]
    found += [("lengths", text) for text in _lengths(look, draft)]
    found += [("classes", text) for text in _classes(look, draft)]
    found += [("missing", text) for text in _missing(look)]
    found += [("time", text) for text in _time(look, draft)]
    found += [("suspicious", f"{n}: {why}") for n, why in suspects.suspicions(look, draft).items()]
    found += [("duplicates", text) for text in _shared(look, draft)]
    if look.found.aside:
        found.append(("left aside", join_some(look.found.aside, 8)))
    found += [("note", text) for text in (*look.found.notes, *draft.notes)]
    found.append(("task", f"{draft.task}: {draft.why}"))
    return [
        line(head if i == 0 or found[i - 1][0] != head else "", text)
        for i, (head, text) in enumerate(found)
    ]


def _files(look: Look, draft: Draft) -> list[str]:
    told = []
    for split, table in look.tables.items():
        rows = f"{len(table.columns):,} rows"
        if draft.id is not None:
            number = len(columns.to_texts([table], draft.id).dictionary)
            rows = f"{number:,} {'series' if draft.task == 'forecasting' else 'sequences'}, {rows}"
        told.append(f"{look.found.paths[split].name}, {_USES[split]}: {rows}")
    return told


def _lengths(look: Look, draft: Draft) -> list[str]:
    if look.found.format == FOLDER:
        # Until they are read in one size, pictures have no steps.
        return []
    if draft.text is not None and draft.id is None:
        texts = columns.to_strings(look.train, draft.text, lowercase=False)
        length_S, unit = np.array([len(text.split()) for text in texts]), "words"
    else:
        length_S, unit = np.bincount(look.keys(draft.id)), "steps"
    if len(length_S) == 1:
        return [f"{length_S[0]:,} {unit}"]
    low, middle, high = length_S.min(), np.median(length_S), length_S.max()
    return [f"{low:,} shortest, {middle:,.0f} median, {high:,} longest, in {unit}"]


def _classes(look: Look, draft: Draft) -> list[str]:
    if draft.task not in ("classification", "tagging"):
        return []
    (target,) = draft.targets
    texts = columns.to_texts([look.train], target)
    names = texts.to_pylist()
    if draft.task == "classification" and draft.id is not None:
        names = [names[i] for i in np.unique(look.keys(draft.id), return_index=True)[1]]
    counts = Counter(names)
    missing = counts.pop(None, 0)
    most = counts.most_common()
    each = [f"{name} {number:,}" for name, number in most]
    told = [f"{len(most)} of {target}: {join_some(each, _MOST_CLASSES)}"]
    if rare := [name for name, number in most if number < _RARE]:
        told.append(f"rare, fewer than {_RARE}: {join_some(rare, _MOST_CLASSES)}")
    return told + ([f"{missing:,} without one"] if missing else [])


def _missing(look: Look) -> list[str]:
    told = []
    total = sum(len(table.columns) for table in look.tables.values())
    for name, number in suspects.missing(look, list(look.columns)).items():
        gap = look.columns[name].longest_gap
        told.append(f"{name}: {number:,} of {total:,}, at most {gap:,} rows on end")
    return told


def _time(look: Look, draft: Draft) -> list[str]:
    found = clocks.steps(look, draft.id, draft.time)
    if found is None or draft.text is not None:
        return []
    told = f"{'-'.join(draft.time)}: {found.said}"
    odd = [
        (found.num_back, "rows go back"),
        (found.num_twice, "repeat the time before"),
        (found.num_other, f"steps differ, the longest {found.longest}"),
    ]
    said = [f"{number:,} {what}" for number, what in odd if number]
    return [f"{told}; {', '.join(said)}" if said else f"{told}, regular"]


def _shared(look: Look, draft: Draft) -> list[str]:
    """Sequences of other files that are found in the training file, too."""
    if draft.task in ("forecasting", "language_modelling", "recommendation"):
        return []
    names = [draft.text] if draft.text else [c.name for c in look.columns.values()]
    read = [n for n in names if n not in (draft.id, *draft.time, *draft.targets)]
    if not read:
        return []
    contents = {split: _contents(look, split, draft.id, read) for split in look.tables}
    learned = set(contents["train"])
    told = []
    for split, digests in contents.items():
        if split != "train" and (shared := sum(digest in learned for digest in digests)):
            told.append(f"{shared:,} of {len(digests):,} {split} sequences equal training ones")
    return told


def _contents(look: Look, split: str, id: str | None, names: list[str]) -> list[tuple[str, ...]]:
    """Every sequence as something that can be compared."""
    table = look.tables[split].columns
    held = [table.column(n).to_pylist() for n in names if n in table.column_names]
    rows = [repr(row) for row in zip(*held, strict=True)]
    if id is None:
        return [(row,) for row in rows]
    grouped: dict[str, list[str]] = {}
    for key, row in zip(table.column(id).to_pylist(), rows, strict=True):
        grouped.setdefault(key, []).append(row)
    return [tuple(sequence) for sequence in grouped.values()]
