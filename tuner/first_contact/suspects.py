"""Columns that no model should read, or that need a rule before one can."""

from __future__ import annotations

import numpy as np

from tuner.data import columns
from tuner.first_contact import clocks
from tuner.first_contact.draft import Draft
from tuner.first_contact.look import Look
from tuner.first_contact.profile import Column

_FORECAST, _TAGGING = "forecasting", "tagging"


def suspicions(look: Look, draft: Draft) -> dict[str, str]:
    """Column → what is wrong with it as an input."""
    meaning = {draft.id, *draft.time, draft.text, *draft.targets}
    if draft.text is not None:
        return {}
    found = {}
    for column in look.columns.values():
        if column.name not in meaning and (why := _suspicion(look, draft, column)):
            found[column.name] = why
    return found


def leave_out(look: Look, draft: Draft) -> None:
    """Lists the inputs where some are to be left out, and says what stands in for holes."""
    bad = suspicions(look, draft)
    meaning = {draft.id, *draft.time, draft.text, *draft.targets}
    if draft.task == _FORECAST:
        meaning -= {*draft.targets}
    numeric = [c.name for c in look.columns.values() if c.kind in ("number", "empty")]
    numeric = [name for name in numeric if name not in meaning]
    good = [name for name in numeric if name not in bad]
    if draft.text is None and len(good) < len(numeric):
        out = [name for name in numeric if name in bad]
        draft.say("features", good, f"left out: {', '.join(f'{n} ({bad[n]})' for n in out)}")
    if draft.text is None and (holes := missing(look, good)):
        told = " and ".join(f"{number:,} of {name}" for name, number in list(holes.items())[:3])
        more = f" and {len(holes) - 3} more" if len(holes) > 3 else ""
        draft.say("missing", "forward", f"{told}{more} are missing; or `mean`, `zero`")
    found = clocks.steps(look, draft.id, draft.time)
    if found is not None and found.num_back:
        draft.say("sort", True, f"{found.num_back:,} rows are earlier than the row before")
    for column in look.columns.values():
        if column.strange_date:
            draft.notes.append(
                f"{column.name} holds dates such as {column.strange_date!r}; written as 2018-01-31 "
                "they could order the rows"
            )


def missing(look: Look, names: list[str]) -> dict[str, int]:
    """Column → values missing in all files, where some are."""
    counts = {
        name: sum(
            len(columns.absent_rows(table, name))
            for table in look.tables.values()
            if name in table.columns.column_names
        )
        for name in names
    }
    return {name: number for name, number in counts.items() if number}


def _suspicion(look: Look, draft: Draft, column: Column) -> str | None:
    name = column.name.lower()
    if column.kind == "empty":
        return "all missing"
    if column.kind == "date":
        return None
    if column.num_distinct == 1:
        return "constant"
    if column.index:
        return "counts the rows"
    if column.kind == "number" and (name == "id" or name.endswith("_id")):
        return "an id, no measure"
    for target in draft.targets:
        code_N = look.columns[target].code_N
        if np.array_equal(_ranked(column.code_N), _ranked(code_N)):
            return f"equal to {target}"
        if draft.task != _FORECAST and _tells(look, draft, column, code_N):
            return f"tells {target}"
    return None


def _ranked(code_N: np.ndarray) -> np.ndarray:
    """Codes in the order in which they first appear."""
    _, first, inverse = np.unique(code_N, return_index=True, return_inverse=True)
    rank: np.ndarray = np.argsort(np.argsort(first))[inverse]
    return rank


def _tells(look: Look, draft: Draft, column: Column, target_N: np.ndarray) -> bool:
    """Whether each of a few values goes with one value of the target."""
    if not column.few or len(np.unique(target_N)) < 2:
        return False
    key_N = look.keys(draft.id)
    if draft.task != _TAGGING and not column.constant_within(key_N):
        return False
    pairs = np.unique(np.stack([column.code_N, target_N]), axis=1).shape[1]
    groups = len(np.unique(key_N)) if draft.task != _TAGGING else len(key_N)
    return bool(pairs == len(np.unique(column.code_N)) and pairs <= groups / 2)
