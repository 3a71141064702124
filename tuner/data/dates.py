"""Dates told piece by piece: one column for the year, one for the month, and so on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuner.data import columns
from tuner.data.config import PIECES
from tuner.data.files import join_some
from tuner.data.table import RawTable
from tuner.errors import Mistake

_FIRST = {"day": 1, "hour": 0, "minute": 0}


def joined(table: RawTable, names: Sequence[str], mistakes: list[Mistake]) -> columns.Times | None:
    """Columns of whole numbers as moments; None if some are none, with the mistakes told."""
    before = len(mistakes)
    for name in names:
        if len(absent := columns.absent_rows(table, name)):
            fix = "Fill them or remove the rows."
            mistakes.append(_refuse(table, names, f"{len(absent):,} missing", absent, fix))
    value = {
        piece: columns.to_numbers(table, name, mistakes).astype(np.float64)
        for piece, name in zip(PIECES, names, strict=False)
    }
    if len(mistakes) > before:
        return None
    good_N = np.all([value_N == np.floor(value_N) for value_N in value.values()], axis=0)
    good_N &= (value["year"] >= 1) & (value["year"] <= 9999)
    good_N &= (value["month"] >= 1) & (value["month"] <= 12)
    # Rows that hold no date stand in for one until they are told.
    whole = {
        piece: np.where(good_N, value_N, 1).astype(np.int64) for piece, value_N in value.items()
    }
    whole |= {
        piece: np.full(len(good_N), first) for piece, first in _FIRST.items() if piece not in whole
    }
    months_N = ((whole["year"] - 1970) * 12 + whole["month"] - 1).astype("datetime64[M]")
    first_N = months_N.astype("datetime64[D]")
    days_N = ((months_N + 1).astype("datetime64[D]") - first_N).astype(np.int64)
    good_N &= (whole["day"] >= 1) & (whole["day"] <= days_N)
    good_N &= (whole["hour"] >= 0) & (whole["hour"] <= 23)
    good_N &= (whole["minute"] >= 0) & (whole["minute"] <= 59)
    if len(rows := np.flatnonzero(~good_N)):
        wrong = ", ".join(f"{piece} {value_N[rows[0]]:g}" for piece, value_N in value.items())
        fix = f"Mend them. `data/time` is read as {join_some(PIECES)}, in this order."
        got = f"{len(rows):,} rows that are no date, first {wrong}"
        mistakes.append(_refuse(table, names, got, rows, fix))
        return None
    minutes_N = (whole["day"] - 1) * 1440 + whole["hour"] * 60 + whole["minute"]
    moments_N = first_N.astype("datetime64[us]") + minutes_N.astype("timedelta64[m]")
    return moments_N.view(np.int64), "date"


def _refuse(table: RawTable, names: Sequence[str], got: str, rows: np.ndarray, fix: str) -> Mistake:
    pieces = ", ".join(f"{n!r} the {p}" for n, p in zip(names, PIECES, strict=False))
    return Mistake(
        code="data/time",
        rule=f"time columns must hold whole numbers that make a date: {pieces}",
        where=f"{table.name} {columns.told(table, rows)}",
        got=got,
        fix=fix,
    )
