"""Where the winner errs, and what it does: what its task kept of it."""

from __future__ import annotations

from tuner.context import trial_folder
from tuner.plots.exhibits import Exhibit
from tuner.plots.markup import Markup, joined, number, tag
from tuner.results.report.findings import Findings
from tuner.tasks import _tables as tables

_LARGEST = 40
"""Rows and columns that a page shows whole."""
_WORST = 10


def section(found: Findings) -> Markup | None:
    """Each exhibit, and of confusions the classes and pairs that suffer most."""
    best = found.board.best
    if best is None:
        return None
    parts: list[Markup | None] = []
    for path in tables.kept(found.folder / trial_folder(best.number)):
        split, _, name = path.stem.partition("-")
        exhibit = tables.read(path)
        parts += [
            tag("h3", f"{name.replace('-', ' ')}, {split} data"),
            tag("p", exhibit.about, class_="note"),
            *_shown(exhibit),
        ]
    return joined(parts) if parts else None


def _shown(exhibit: Exhibit) -> list[Markup | None]:
    if not isinstance(exhibit, tables.Table):
        return [tag("figure", exhibit.draw(), class_="wide")]
    parts: list[Markup | None] = []
    if len(exhibit.columns) <= _LARGEST and len(exhibit.rows) <= _LARGEST:
        parts.append(_counts(exhibit))
    if tuple(exhibit.rows) == exhibit.columns:
        parts.append(_worst(exhibit))
    return parts


def _counts(table: tables.Table) -> Markup:
    square = tuple(table.rows) == table.columns
    head = tag("tr", tag("th"), *(tag("th", name, scope="col") for name in table.columns))
    body = []
    for place, (name, counts) in enumerate(table.rows.items()):
        total = sum(counts) or 1
        cells = [
            _cell(count, count / total if square else 0.0, square and place == column)
            for column, count in enumerate(counts)
        ]
        body.append(tag("tr", tag("th", name, scope="row"), *cells))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="wide")


def _cell(count: int, share: float, is_right: bool) -> Markup:
    strength = f"background:color-mix(in oklab, var(--blue) {50 * share:.0f}%, transparent)"
    return tag(
        "td",
        count or "",
        class_="heat right" if is_right else "heat",
        style=strength if share else None,
    )


def _worst(table: tables.Table) -> Markup:
    """Classes by recall, and pairs by how often one is taken for the other."""
    recalls = [
        (counts[place] / sum(counts), name, sum(counts))
        for place, (name, counts) in enumerate(table.rows.items())
        if sum(counts)
    ]
    pairs = [
        (count, name, table.columns[column])
        for place, (name, counts) in enumerate(table.rows.items())
        for column, count in enumerate(counts)
        if count and column != place
    ]
    if not pairs:
        return tag("p", "No errors.", class_="note")
    classes = [
        [name, number(recall, 3), str(total)] for recall, name, total in sorted(recalls)[:_WORST]
    ]
    confused = [
        [f"{name} taken for {other}", str(count)]
        for count, name, other in sorted(pairs, key=lambda p: -p[0])[:_WORST]
    ]
    return tag(
        "div",
        _list(["class", "recall", "of"], classes),
        _list(["most frequent errors", "times"], confused),
        class_="grid2",
    )


def _list(heads: list[str], rows: list[list[str]]) -> Markup:
    def line(kind: str, cells: list[str]) -> Markup:
        first, *others = cells
        return tag("tr", tag(kind, first, class_="text"), *(tag(kind, c) for c in others))

    return tag(
        "table",
        tag("thead", line("th", heads)),
        tag("tbody", *(line("td", row) for row in rows)),
    )
