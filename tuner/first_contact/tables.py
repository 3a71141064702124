"""What the columns of a table mean: ids, times, texts, targets and inputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuner.data.config import PIECES
from tuner.data.files import join_some
from tuner.errors import DataError, Mistake
from tuner.first_contact import clocks, suspects
from tuner.first_contact.draft import Draft
from tuner.first_contact.look import Look
from tuner.first_contact.profile import Column

_WORDS = 2.5
"""Mean words from which a column is text to read."""
_FEW_SERIES = 20
"""Sequences with dates, below which they are taken for series to forecast."""
_LABELS = {"label", "labels", "class", "target", "y", "category", "tag", "tags", "sentiment"}
_IDS = {"id", "sequence", "series", "sequence_id", "series_id", "sample", "case", "unit", "uid"}


def infer(look: Look, wanted: Sequence[str]) -> Draft | str:
    """The task of a table; the column of texts where there is nothing to predict of them.

    Raises:
        DataError: nobody can tell what is to be learned.
    """
    columns = look.columns
    texts = [c.name for c in columns.values() if c.kind == "text" and c.words >= _WORDS]
    texts = [name for name in texts if name not in wanted and not columns[name].strange_date]
    if texts:
        text = max(texts, key=lambda name: columns[name].words)
        others = [c.name for c in columns.values() if c.few and c.name not in texts]
        if not wanted and not others:
            return text
        return _of_texts(look, text, list(wanted) or [_only(look, others)])
    time = clocks.time_columns(look, wanted)
    id = _id_column(look, time, wanted)
    draft = _of_rows(look, id, time, wanted)
    suspects.leave_out(look, draft)
    if draft.task == "forecasting":
        clocks.say_forecast(look, draft)
    return draft


def say_tokens(look: Look, draft: Draft) -> None:
    """How the texts become words."""
    assert draft.text is not None
    texts = look.train.columns.column(draft.text).slice(0, 1_000).to_pylist()
    apart = sum((text or "").endswith((" .", " ?", " !")) for text in texts) > len(texts) / 2
    if apart:
        draft.say("tokens", "whitespace", "signs already stand apart from words")
    else:
        draft.say("tokens", "word", "or `character`, or `subword`")
    draft.say("lowercase", True, "fewer words to learn; false where capitals matter")


def num_sequences(look: Look, draft: Draft) -> int:
    """Sequences to learn from."""
    if draft.id is None:
        return look.num_rows if draft.text else 1
    return look.columns[draft.id].num_distinct


def _of_texts(look: Look, text: str, targets: list[str]) -> Draft:
    column = look.columns[targets[0]]
    number = column.kind == "number" and not column.few
    task = "regression" if number else "classification"
    draft = Draft(task, f"texts ({text}) and {_said(column)}", text=text, targets=targets)
    draft.say("text", text)
    draft.say("target", targets if len(targets) > 1 else targets[0])
    say_tokens(look, draft)
    return draft


def _of_rows(look: Look, id: str | None, time: tuple[str, ...], wanted: Sequence[str]) -> Draft:
    """Rows that are steps: of labelled sequences, or of series."""
    columns, key_N = look.columns, look.keys(id)
    dated = clocks.is_dated(look, time)
    free = [c for c in columns.values() if c.name not in (id, *time)]
    constant = [c for c in free if c.kind != "empty" and c.constant_within(key_N)]
    constant = [c for c in constant if c.num_distinct > 1]
    num = len(np.unique(key_N))
    if wanted:
        targets = list(wanted)
        first = columns[targets[0]]
        if id is not None and all(columns[t] in constant for t in targets):
            return _labelled(look, id, time, targets)
        forecast = first.kind == "number" and (id is None or dated or not first.few)
        if forecast:
            return _series(id, time, targets, f"{_joined(targets)} changes from row to row")
        return _tagged(look, _needed(look, id), time, first)
    if id is not None and not (dated and num < _FEW_SERIES):
        # Columns that tell each other apart, such as a class's number and name, are one.
        if constant:
            classes = [c.name for c in constant if c.few]
            target = _only(look, classes or [c.name for c in constant])
            return _labelled(look, id, time, [target])
        varying = [c for c in free if c.few and not dated]
        if varying and (tags := _hinted([c.name for c in varying]) or [c.name for c in varying]):
            return _tagged(look, id, time, columns[_only(look, tags)])
    if any(c.kind == "number" for c in free):
        if not time:
            raise DataError(_undecided(look, [c.name for c in free]))
        return _series(id, time, [], "rows in the order of time, and numbers")
    raise DataError(_undecided(look, [c.name for c in free]))


def _labelled(look: Look, id: str, time: tuple[str, ...], targets: list[str]) -> Draft:
    column = look.columns[targets[0]]
    # Rows say each value again, so that repetition tells nothing of numbers.
    first_S = np.unique(look.keys(id), return_index=True)[1]
    seldom = column.num_distinct > len(first_S) / 2
    number = column.kind == "number" and (not column.few or seldom)
    task = "regression" if number or len(targets) > 1 else "classification"
    draft = Draft(task, f"{_said(column)}, constant within each {id}")
    return _said_columns(draft, id, time, targets)


def _tagged(look: Look, id: str, time: tuple[str, ...], column: Column) -> Draft:
    draft = Draft("tagging", f"{_said(column)}, which changes within each {id}")
    _said_columns(draft, id, time, [column.name])
    tokens = [c for c in look.columns.values() if c.kind == "text" and c not in (column,)]
    tokens = [c for c in tokens if c.name not in (id, *time)]
    inputs = [c for c in look.columns.values() if c.kind == "number" and c is not column]
    inputs = [c for c in inputs if c.name not in (id, *time) and not c.index]
    if tokens and not inputs:
        draft.text = max(tokens, key=lambda c: c.num_distinct).name
        draft.say("text", draft.text, "one token a row")
    return draft


def _series(id: str | None, time: tuple[str, ...], targets: list[str], why: str) -> Draft:
    return _said_columns(Draft("forecasting", why), id, time, targets)


def _said_columns(draft: Draft, id: str | None, time: tuple[str, ...], targets: list[str]) -> Draft:
    draft.id, draft.time, draft.targets = id, time, targets
    if id is not None:
        draft.say("id", id, "rows with the same one are a sequence")
    if time:
        pieces = ", ".join(PIECES[: len(time)]) if len(time) > 1 else ""
        draft.say("time", list(time) if pieces else time[0], pieces and f"{pieces}, in this order")
    if targets:
        draft.say("target", targets if len(targets) > 1 else targets[0])
    return draft


def _id_column(look: Look, time: tuple[str, ...], wanted: Sequence[str]) -> str | None:
    """The column that tells sequences apart: called so, or needed to tell equal times apart."""
    candidates = [
        c
        for c in look.columns.values()
        if c.name not in (*time, *wanted)
        and (c.kind == "text" or (c.kind == "number" and c.whole))
        and 2 <= c.num_distinct <= look.num_rows / 2
        and (c.code_N >= 0).all()
    ]
    named = [c for c in candidates if c.name.lower() in _IDS or c.name.lower().endswith("_id")]
    if named:
        return max(named, key=lambda c: c.num_distinct).name
    if time:
        codes = [look.columns[name].code_N for name in time]
        if _unique(*codes):
            return None
        telling = [c for c in candidates if _unique(c.code_N, *codes)]
    else:
        runs = [(c, int((np.diff(c.code_N) != 0).sum()) + 1) for c in candidates]
        telling = [c for c, num in runs if num == c.num_distinct]
        telling = [c for c in telling if c.name.lower() not in _LABELS]
    return max(telling, key=lambda c: c.num_distinct).name if telling else None


def _unique(*codes: np.ndarray) -> bool:
    stacked = np.stack(codes)
    return bool(np.unique(stacked, axis=1).shape[1] == stacked.shape[1])


def _hinted(names: Sequence[str]) -> list[str]:
    return [name for name in names if name.lower() in _LABELS]


def _only(look: Look, names: Sequence[str]) -> str:
    """The one candidate, or the one that is called like a target."""
    chosen = names if len(names) == 1 else _hinted(names)
    if len(chosen) != 1:
        raise DataError(_undecided(look, names))
    return chosen[0]


def _needed(look: Look, id: str | None) -> str:
    if id is None:
        raise DataError(
            Mistake(
                code="init/no-id",
                rule="labelled steps must come with a column that tells sequences apart",
                where=look.train.name,
                got=f"none among {join_some(map(repr, look.columns), 12)}",
                fix="Add one, called `id`, that is the same for all rows of a sequence.",
            )
        )
    return id


def _undecided(look: Look, names: Sequence[str]) -> Mistake:
    return Mistake(
        code="init/undecided",
        rule="the data must tell what is to be learned",
        where=look.train.name,
        got=f"{'several' if len(names) > 1 else 'no clear'} candidates: "
        + (join_some(map(repr, names), 12) or "none"),
        fix="Name it with `--target COLUMN`.",
    )


def _said(column: Column) -> str:
    values = f"{column.num_distinct:,} values"
    return f"{column.name}, of {values}"


def _joined(names: Sequence[str]) -> str:
    return join_some(names, 3)
