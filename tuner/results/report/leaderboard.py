"""The leaderboard as a table that is sorted by its heads."""

from __future__ import annotations

from typing import Any

from tuner.plots.markup import Markup, joined, shown, tag
from tuner.results.leaderboard import Row
from tuner.results.report.findings import Findings

_SHOWN, _MOST = 20, 1000
"""Rows at first sight, and at all."""


def section(found: Findings) -> Markup | None:
    """All trials, the best first, with every parameter in which they differ."""
    board = found.board
    if not board.rows:
        return tag("p", "No trial has started.", class_="note")
    rows = board.rows[:_MOST]
    paths = [p.path for p in found.spec.space.parameters.values() if p.path in board.searched]
    has_test = any(row.test is not None for row in rows)
    heads = ["rank", "trial", board.metric, *(["test"] * has_test), "state", "epochs", "seconds"]
    left = {"state", *_texts(rows, paths)}
    head = tag(
        "tr",
        *(
            tag("th", name, scope="col", data_sort="", class_="text" if name in left else None)
            for name in [*heads, *paths]
        ),
    )
    body = [_row(found, place, row, paths, has_test, left) for place, row in enumerate(rows)]
    table = tag(
        "table",
        tag("caption", f"{len(rows)} trials", class_="note"),
        tag("thead", head),
        tag("tbody", *body, data_fold=_SHOWN),
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


def _row(
    found: Findings, place: int, row: Row, paths: list[str], has_test: bool, left: set[str]
) -> Markup:
    cells = [
        _cell(row.rank),
        _cell(row.number, f"{row.number} (default)" if row.number == 0 else None),
        _cell(row.value),
        *([_cell(row.test)] * has_test),
        tag("td", row.state.value.lower(), class_="text", title=row.reason or None),
        _cell(row.epochs),
        _cell(row.seconds, f"{row.seconds:.1f}"),
        *(_cell(row.values.get(path), text=path in left) for path in paths),
    ]
    kind = found.kind(row)
    looks = [kind if kind == "winner" else "", "out" * (not row.rank), "more" * (place >= _SHOWN)]
    return tag("tr", *cells, data_trial=row.number, class_=" ".join(filter(None, looks)) or None)


def _cell(value: Any, told: str | None = None, *, text: bool = False) -> Markup:
    exact = repr(value) if isinstance(value, float) else None
    return tag(
        "td",
        shown(value) if told is None else told,
        data_value=exact,
        class_="text" if text else None,
    )


def _texts(rows: tuple[Row, ...], paths: list[str]) -> set[str]:
    """Parameters that are texts somewhere."""
    return {p for p in paths if any(isinstance(row.values.get(p), str) for row in rows)}
