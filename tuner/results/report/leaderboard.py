"""The leaderboard as a table that is sorted by its heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tuner.plots.markup import Markup, joined, number, shown, tag
from tuner.results.leaderboard import Leaderboard, Row
from tuner.results.report.findings import Findings

_SHOWN, _MOST = 20, 1000
"""Rows at first sight, and at all."""

Column = Callable[[Row], Markup]


def section(found: Findings) -> Markup | None:
    """All trials, the best first, with every parameter in which they may differ."""
    board = found.board
    if not board.rows:
        return tag("p", "No trial has started.", class_="note")
    rows = board.rows[:_MOST]
    columns = _facts(board) | _parameters(found)
    texts = {name for name, column in columns.items() if 'class="text"' in column(rows[0])}
    heads = (
        tag("th", name, scope="col", data_sort="", class_="text" if name in texts else None)
        for name in columns
    )
    table = tag(
        "table",
        tag("caption", f"{len(rows)} trials", class_="note"),
        tag("thead", tag("tr", *heads)),
        tag(
            "tbody",
            *(_row(found, place, row, columns) for place, row in enumerate(rows)),
            data_fold=_SHOWN,
        ),
        id="board",
    )
    more = f"Show all {len(rows)}"
    fold = tag("button", more, class_="fold", data_table="board", data_more=more, hidden="")
    left_out = len(board.rows) - len(rows)
    note = f"{left_out} more trials are in the other formats of `tuner leaderboard`."
    return joined(
        [
            tag("div", table, class_="wide"),
            fold if len(rows) > _SHOWN else None,
            tag("p", note, class_="note") if left_out else None,
        ]
    )


def _facts(board: Leaderboard) -> dict[str, Column]:
    """What is told of each trial; columns that would be empty are left out."""
    found: dict[str, Column] = {
        "rank": lambda row: _cell(row.rank),
        "trial": lambda row: _cell(row.number, f"{row.number} (default)" * (not row.number)),
        board.metric: lambda row: _cell(row.value),
    }
    if any(row.interval is not None for row in board.rows):
        found["mean of seeds"] = _mean
    if any(row.test is not None for row in board.rows):
        found["test"] = lambda row: _cell(row.test)
    for name in board.objectives[1:]:
        found[name] = lambda row, name=name: _cell(row.costs.get(name, row.metrics.get(name)))  # type: ignore[misc]
    if any(row.violated for row in board.rows):
        found["breaks"] = lambda row: _cell("; ".join(row.violated), text=True)
    return found | {
        "state": lambda row: _cell(row.state.value.lower(), text=True, title=row.reason),
        "epochs": lambda row: _cell(row.epochs),
        "seconds": lambda row: _cell(row.seconds, f"{row.seconds:.1f}"),
    }


def _parameters(found: Findings) -> dict[str, Column]:
    """A column for each searched parameter, in the space's order."""
    columns: dict[str, Column] = {}
    for path in found.board.searched:
        is_text = any(isinstance(row.values.get(path), str) for row in found.board.rows)
        columns[path] = lambda row, path=path, is_text=is_text: _cell(  # type: ignore[misc]
            row.values.get(path), text=is_text
        )
    return columns


def _row(found: Findings, place: int, row: Row, columns: Mapping[str, Column]) -> Markup:
    kind = found.kind(row)
    looks = [kind if kind == "winner" else "", "out" * (not row.rank), "more" * (place >= _SHOWN)]
    return tag(
        "tr",
        *(column(row) for column in columns.values()),
        data_trial=row.number,
        class_=" ".join(filter(None, looks)) or None,
    )


def _mean(row: Row) -> Markup:
    if row.interval is None:
        return tag("td")
    half = (row.interval.high - row.interval.low) / 2
    told = f"{number(row.interval.mean)} ± {number(half, 2)}"
    return _cell(row.interval.mean, told + " tie" * bool(row.tie))


def _cell(value: Any, told: str = "", *, text: bool = False, title: str = "") -> Markup:
    exact = repr(value) if isinstance(value, float) else None
    look = "text" if text else None
    return tag("td", told or shown(value), data_value=exact, class_=look, title=title or None)
