"""When rows were: the columns of time, its step, and what a forecast takes from both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tuner.data import times
from tuner.data.config import PIECES
from tuner.first_contact.draft import Draft
from tuner.first_contact.look import Look

_TIMES = {
    "time", "timestamp", "datetime", "date", "step", "timestep", "time_step", "t", "frame",
    "second", "seconds", "tick", "position", "pos",
}  # fmt: skip
_DAY = 86_400
_MOST_AHEAD = 96
_ROWS_A_STEP = 12
"""Rows of a series that each step of the horizon needs, so that every split holds windows."""
_NAMES = {1: "every second", 60: "every minute", 3600: "hourly", _DAY: "daily", 7 * _DAY: "weekly"}


@dataclass(frozen=True, kw_only=True)
class Steps:
    """How time goes on from row to row within sequences."""

    said: str
    seconds: float | None
    """Of the usual step; None where times are numbers."""
    monthly: bool
    num_back: int
    """Rows earlier than the row before."""
    num_twice: int
    num_other: int
    """Steps unlike the usual one."""
    longest: str
    """The longest step, where steps differ."""


def time_columns(look: Look, wanted: Sequence[str]) -> tuple[str, ...]:
    """A column of dates, those that tell one piece by piece, or numbers that are called a time."""
    free = [c for c in look.columns.values() if c.name not in wanted]
    whole = [c.name for c in free if c.kind == "date"]
    if whole:
        return (next((name for name in whole if name.lower() in _TIMES), whole[0]),)
    numbers = {c.name.lower(): c for c in free if c.kind == "number"}
    pieces = tuple(piece for piece in PIECES if piece in numbers)
    if len(pieces) > 1 and pieces == PIECES[: len(pieces)]:
        return tuple(numbers[piece].name for piece in pieces)
    called = [column for name, column in numbers.items() if name in _TIMES]
    return tuple(c.name for c in called if (c.code_N >= 0).all())[:1]


def is_dated(look: Look, time: Sequence[str]) -> bool:
    """Whether times are dates."""
    return len(time) > 1 or any(look.columns[name].kind == "date" for name in time)


def steps(look: Look, id: str | None, time: Sequence[str]) -> Steps | None:
    """How time goes on; None without a time, or where all sequences have one row."""
    clock = times.read([look.train], time, []) if time else None
    if clock is None:
        return None
    moments_N, dated = clock.moments_N.astype(np.float64), clock.kind == "date"
    key_N = look.keys(id)
    order_N = np.argsort(key_N, kind="stable")
    inner_N = np.diff(key_N[order_N]) == 0
    gap_N = np.diff(moments_N[order_N])[inner_N]
    if not len(gap_N):
        return None
    usual = float(np.median(gap_N))
    days = usual / 1e6 / _DAY
    months = {28: "monthly", 29: "monthly", 30: "monthly", 31: "monthly", 365: "yearly"}
    monthly = dated and days in months and bool((np.abs(gap_N / 1e6 / _DAY - days) <= 3).all())
    other = 0 if monthly else int((gap_N != usual).sum())
    seconds = usual / 1e6 if dated else None
    return Steps(
        said=months[int(days)] if monthly else _said(usual, seconds),
        seconds=seconds,
        monthly=monthly,
        num_back=int((gap_N < 0).sum()),
        num_twice=int((gap_N == 0).sum()),
        num_other=other,
        longest=_said(float(gap_N.max()), float(gap_N.max()) / 1e6 if dated else None),
    )


def say_forecast(look: Look, draft: Draft) -> None:
    """Horizon, calendar, categories and covariates of a forecast."""
    found = steps(look, draft.id, draft.time)
    lengths_S = np.bincount(look.keys(draft.id))
    horizon, why = _horizon(found)
    most = max(1, int(np.median(lengths_S)) // _ROWS_A_STEP)
    if horizon > most:
        horizon, why = most, f"steps; more would leave few windows in {int(lengths_S.max())} rows"
    draft.options, draft.options_why = {"horizon": horizon}, why
    if not draft.targets:
        draft.say("target", _inputs(look, draft), "all numbers; leave out what nobody asks for")
    if found is not None and found.seconds is not None:
        fields = ["month"] if found.monthly else ["weekday", "yearday"]
        fields = ["hour", "weekday"] if not found.monthly and found.seconds < _DAY else fields
        draft.say("calendar", fields, "of the time, known for the horizon, too")
    free = [c for c in look.columns.values() if c.name not in (draft.id, *draft.time)]
    few = [c for c in free if c.kind == "text" and 2 <= c.num_distinct <= 20]
    if few:
        draft.say("categories", [c.name for c in few], "texts as inputs of 0 and 1")
    usable = [*_inputs(look, draft), *(c.name for c in few)]
    targets = draft.targets or _inputs(look, draft)
    key_N = look.keys(draft.id)
    static = [c.name for c in free if c.name in usable and c.constant_within(key_N)]
    if draft.id is not None and (static := [n for n in static if n not in targets]):
        draft.say("static", static, f"constant within each {draft.id}")


def _inputs(look: Look, draft: Draft) -> list[str]:
    """The channels that a forecast may have as targets, or else reads."""
    if "features" in draft.data:
        names: list[str] = draft.data["features"][0]
    else:
        names = [c.name for c in look.columns.values() if c.kind == "number"]
    names = [n for n in names if n not in (draft.id, *draft.time)]
    if draft.targets:
        return names
    key_N = look.keys(draft.id)
    return [n for n in names if not look.columns[n].constant_within(key_N)]


def _horizon(found: Steps | None) -> tuple[int, str]:
    if found is None or found.seconds is None or found.seconds <= 0:
        return 24, "steps; choose what you need to know ahead"
    if found.monthly:
        return (12, "a year ahead") if found.said == "monthly" else (3, "years ahead")
    if found.seconds >= _DAY:
        return (7, "a week ahead") if found.seconds == _DAY else (4, f"steps ahead, {found.said}")
    steps = round(_DAY / found.seconds)
    if steps > _MOST_AHEAD:
        return 24, f"steps ahead, {found.said}"
    return steps, f"a day ahead, {found.said}"


def _said(gap: float, seconds: float | None) -> str:
    if seconds is None:
        return f"steps of {gap:g}"
    if seconds in _NAMES:
        return _NAMES[int(seconds)]
    for unit, size in (("day", _DAY), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return f"every {seconds / size:g} {unit}s"
    return f"every {seconds:g} seconds"
