"""What a file to predict on tells, or must tell, of the steps ahead.

N rows   S series   F channels
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tuner.data import calendar
from tuner.data.files import join_some
from tuner.data.layout import Layout
from tuner.data.sequences import Sequences
from tuner.data.times import Clock
from tuner.errors import Mistake


def extended(
    sequences: Sequences, layout: Layout, horizon: int, mistakes: list[Mistake]
) -> tuple[Sequences, np.ndarray | None]:
    """Series that go on for their horizon, and how many of their rows lie ahead.

    Columns known ahead stand in the file, in rows after the last with a measurement. For the
    calendar alone empty rows are added. Where nothing is known ahead there are none.

    Args:
        sequences: as read, holes still open if columns are known ahead; nothing derived yet.
    """
    if layout.derived.known:
        return sequences, _ahead(sequences, layout, horizon, mistakes)
    clock = sequences.clock
    if layout.derived.calendar and clock is not None and clock.kind == "date":
        return _prolonged(sequences, clock, layout, horizon)
    return sequences, None


def _ahead(
    sequences: Sequences, layout: Layout, horizon: int, mistakes: list[Mistake]
) -> np.ndarray:
    """Rows of each series after its last measurement; refuses too few, and holes among them."""
    roles, num = layout.roles, sequences.values_NF.shape[1]
    seen_NF = ~np.isnan(sequences.values_NF)
    measured = [f for f in range(num) if f not in {*roles.known, *roles.static}]
    known = [f for f in roles.known if f < num]
    last_N = np.where(seen_NF[:, measured].any(axis=1), np.arange(len(seen_NF)), -1)
    last_S = np.maximum.reduceat(last_N, sequences.offset_S)
    end_S = sequences.offset_S + sequences.length_S
    ahead_S: np.ndarray = end_S - 1 - np.maximum(last_S, sequences.offset_S - 1)
    short = np.flatnonzero((ahead_S < horizon) | (ahead_S == sequences.length_S))
    if len(short):
        mistakes.append(
            Mistake(
                code="data/known-ahead",
                rule=f"a series to predict must go on for its horizon: {horizon} rows that hold "
                f"{join_some(map(repr, layout.derived.known))} after one with a measurement",
                where=sequences.where(end_S[short] - 1),
                got=join_some(
                    f"{ahead_S[s]} of {sequences.length_S[s]} rows in {sequences.name(int(s))}"
                    for s in short
                ),
                fix="Add the rows that are known ahead, their other columns empty.",
            )
        )
    begin_S = end_S - ahead_S
    rows = np.unique((begin_S[:, None] + np.arange(horizon)).clip(max=end_S[:, None] - 1))
    holes = rows[~seen_NF[rows][:, known].all(axis=1)]
    if len(holes) and not len(short):
        mistakes.append(
            Mistake(
                code="data/known-ahead",
                rule="columns of `data/known` must be complete for the horizon",
                where=sequences.where(holes),
                got=f"{len(holes):,} rows with a hole",
                fix="Fill them.",
            )
        )
    return ahead_S


def refuse_missing(
    sequences: Sequences, layout: Layout, ahead_S: np.ndarray, mistakes: list[Mistake]
) -> None:
    """Holes that are no future, where `data/missing` says nothing of them."""
    place_N = np.arange(len(sequences.row_N)) - np.repeat(sequences.offset_S, sequences.length_S)
    past_N = place_N < np.repeat(sequences.length_S - ahead_S, sequences.length_S)
    owners = layout.derived.owners(layout.features or ())
    for name in dict.fromkeys(owners):
        open_N = np.isnan(sequences.values_NF[:, owners.index(name)])
        if len(holes := np.flatnonzero(past_N & open_N)):
            mistakes.append(
                Mistake(
                    code="data/missing-value",
                    rule=f"column {name!r} must be complete, as it was in training",
                    where=sequences.where(holes),
                    got=f"{len(holes):,} missing",
                    fix="Fill them.",
                )
            )


def _prolonged(
    sequences: Sequences, clock: Clock, layout: Layout, horizon: int
) -> tuple[Sequences, np.ndarray]:
    """Each series with a horizon of empty rows behind it."""
    step = layout.derived.ahead
    assert step is not None, "training had series of several rows"
    end_S = np.cumsum(sequences.length_S)
    moments_HS = [
        calendar.later(clock.moments_N[end_S - 1], step, count) for count in range(1, horizon + 1)
    ]
    at_N = np.repeat(end_S, horizon)

    def more(array_N: np.ndarray, values: Any) -> np.ndarray:
        return np.insert(array_N, at_N, values, axis=0)

    observed_NF = sequences.observed_NF
    longer = replace(
        sequences,
        values_NF=more(sequences.values_NF, np.float32(np.nan)),
        observed_NF=None if observed_NF is None else more(observed_NF, 0),
        split_N=more(sequences.split_N, sequences.split_N[at_N - 1]),
        row_N=more(sequences.row_N, sequences.row_N[at_N - 1]),
        clock=replace(clock, moments_N=more(clock.moments_N, np.stack(moments_HS, 1).ravel())),
        offset_S=sequences.offset_S + horizon * np.arange(len(end_S)),
        length_S=sequences.length_S + horizon,
    )
    return longer, np.full(len(end_S), horizon)
