"""The time column: read, checked for order, and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa

from tuner.data import columns, dates
from tuner.data.config import Moment
from tuner.data.table import RawTable
from tuner.errors import Mistake

if TYPE_CHECKING:
    from tuner.data.sequences import Sequences

_MICROSECONDS = 1e6


@dataclass(frozen=True, kw_only=True, eq=False)
class Clock:
    """The moments of all rows."""

    kind: Literal["number", "date"]
    moments_N: np.ndarray
    """float64 numbers, or int64 microseconds since 1970."""

    def take(self, kept_N: np.ndarray) -> Clock:
        """The moments of some rows."""
        return replace(self, moments_N=self.moments_N[kept_N])

    def moment(self, spelled: Moment, where: str, mistakes: list[Mistake]) -> float | None:
        """A spec's moment on this clock; None, with the mistake told, if it is none."""
        table = RawTable(where, pa.table({"time": [str(spelled)]}), lambda row: "")
        found = columns.to_times(table, "time", [])
        if found is not None and found[1] != self.kind and self.kind == "date":
            # A bare year is a number to a spec, and a date to a clock of dates.
            table = RawTable(where, pa.table({"time": [f"{spelled}-01-01"]}), lambda row: "")
            found = columns.to_times(table, "time", [])
        if found is None or found[1] != self.kind:
            mistakes.append(
                Mistake(
                    code="data/moment",
                    rule=f"a moment must be a {self.kind}, like the time column",
                    where=where,
                    got=repr(spelled),
                    fix="Write it like the times in the file.",
                )
            )
            return None
        return float(found[0][0])


def read(tables: Sequence[RawTable], names: Sequence[str], mistakes: list[Mistake]) -> Clock | None:
    """The times of all rows of all files; None, with the mistakes told, if some are none.

    Args:
        names: the column of times, or several, which hold `PIECES`.
    """
    found = [
        dates.joined(table, names, mistakes)
        if len(names) > 1
        else columns.to_times(table, names[0], mistakes)
        for table in tables
    ]
    if any(times is None for times in found):
        return None
    known = [times for times in found if times is not None]
    kinds = sorted({kind for _, kind in known})
    if len(kinds) > 1:
        mistakes.append(
            Mistake(
                code="data/time",
                rule=f"time column {names[0]!r} must hold numbers in all files, or dates in all",
                where=tables[0].name,
                got="numbers in one file and dates in another",
                fix="Write all times in one way.",
            )
        )
        return None
    return Clock(kind=known[0][1], moments_N=np.concatenate([moments for moments, _ in known]))


def check(
    sequences: Sequences, mistakes: list[Mistake], warnings: list[str], *, events: bool
) -> None:
    """Every sequence must go forward in time; a step that varies is worth a warning.

    Args:
        events: several rows may have one time, and none is expected at any.
    """
    steps, gaps = _gaps(sequences)
    if sequences.clock is None or not len(gaps):
        return
    split_N = sequences.split_N
    ahead = split_N[steps] < split_N[steps - 1]
    early = steps[((gaps < 0) & (split_N[steps] != split_N[steps - 1])) | ahead]
    unsorted = steps[(gaps < 0) & (split_N[steps] == split_N[steps - 1])]
    twice = steps[:0] if events else steps[gaps == 0]
    for bad, code, rule, what, fix in (
        (
            early,
            "data/split-order",
            "validation must begin after training ends, and test after both",
            "earlier rows",
            "Move those rows to the file of the earlier split.",
        ),
        (
            unsorted,
            "data/unsorted",
            "the rows of a sequence must be sorted by time",
            "rows earlier than the row before",
            "Set `sort: true`, or name the column that tells sequences apart as `data/id`.",
        ),
        (
            twice,
            "data/duplicate-time",
            "a sequence must have one row for each time",
            "rows with the time of the row before",
            "Remove one of each pair, or name the column that tells sequences apart as `data/id`.",
        ),
    ):
        if len(bad):
            mistakes.append(
                Mistake(
                    code=code,
                    rule=rule,
                    where=sequences.where(bad),
                    got=f"{len(bad):,} {what}",
                    fix=fix,
                )
            )
    irregular = steps[gaps != np.median(gaps)]
    if not events and (gaps > 0).all() and len(irregular) and not _monthly(sequences, steps):
        warnings.append(
            f"times are irregular: {len(irregular):,} of {len(gaps):,} steps differ from the "
            f"usual one, first at {sequences.where(irregular[:1])} [data/irregular]"
        )


def step_seconds(sequences: Sequences) -> float | None:
    """Seconds from row to row, if times are dates and all steps are equal."""
    if sequences.clock is None or sequences.clock.kind != "date":
        return None
    _, gaps = _gaps(sequences)
    if not len(gaps) or (gaps != gaps[0]).any():
        return None
    return float(gaps[0] / _MICROSECONDS)


def usual_step(sequences: Sequences) -> tuple[str, int] | None:
    """The commonest way on from row to row: so many `months` or `microseconds`; None without."""
    steps, gaps = _gaps(sequences)
    if not len(gaps) or sequences.clock is None:
        return None
    if _monthly(sequences, steps):
        months_N = sequences.clock.moments_N.view("datetime64[us]").astype("datetime64[M]")
        return "months", int(np.diff(months_N.astype(np.int64))[steps[0] - 1])
    return "microseconds", int(np.median(gaps))


def _gaps(sequences: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """All steps that are not the first of their sequence, and the time since the step before."""
    if sequences.clock is None:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    inner_N = np.ones(len(sequences.row_N), dtype=bool)
    inner_N[sequences.offset_S] = False
    steps = np.flatnonzero(inner_N)
    moments_N = sequences.clock.moments_N
    return steps, moments_N[steps] - moments_N[steps - 1]


def _monthly(sequences: Sequences, steps: np.ndarray) -> bool:
    """Whether dates are regular by the calendar: equally many months on, on the same day."""
    clock = sequences.clock
    if clock is None or clock.kind != "date":
        return False
    moments_N = clock.moments_N.view("datetime64[us]")
    months_N = moments_N.astype("datetime64[M]")
    ahead = np.diff(months_N.astype(np.int64))[steps - 1]
    within_N = moments_N - months_N
    return bool((ahead == ahead[0]).all() and (within_N[steps] == within_N[steps - 1]).all())
