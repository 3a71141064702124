"""Several objectives: who is beaten in none without being better in another."""

from __future__ import annotations

from tuner.plots.frame import Frame
from tuner.plots.markup import Markup, joined, number, tag
from tuner.plots.scale import spanning
from tuner.results.leaderboard import Row
from tuner.results.report.findings import Findings


def section(found: Findings) -> Markup | None:
    """The first objective against each of the others, and the front as a table."""
    names = found.board.objectives
    if len(names) < 2:
        return None
    rows = [
        r for r in found.drawn() if r.rank and all(_figure(found, r, n) is not None for n in names)
    ]
    if not rows:
        return None
    front = sorted(
        (row for row in rows if row.pareto), key=lambda row: _figure(found, row, names[0]) or 0.0
    )
    pictures = [_picture(found, rows, front, names[0], other) for other in names[1:]]
    heads = [tag("th", name) for name in ("trial", *names)]
    body = [
        tag(
            "tr",
            tag("td", row.number),
            *(tag("td", number(_figure(found, row, name))) for name in names),
            data_trial=row.number,
        )
        for row in reversed(front)
    ]
    table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *body))
    note = f"{len(front)} trials are beaten in no objective without being better in another."
    return joined([tag("p", note, class_="note"), *pictures, tag("div", table, class_="wide")])


def _picture(found: Findings, rows: list[Row], front: list[Row], name: str, other: str) -> Markup:
    def at(row: Row) -> tuple[float, float]:
        return _figure(found, row, other) or 0.0, _figure(found, row, name) or 0.0

    frame = Frame(
        x=spanning([at(row)[0] for row in rows]),
        y=spanning([at(row)[1] for row in rows]),
        x_label=other,
        y_label=name,
    )
    edge = frame.line(sorted(map(at, front)), class_="front")
    dots = []
    for row in rows:
        kind = "winner" if row.pareto else "pruned"
        r = 4.5 if row.pareto else 2.6
        dots.append(frame.dot(*at(row), r, class_=f"at {kind}", data_trial=row.number))
    return tag("figure", frame.svg(f"{name} against {other}, the front in a line", edge, *dots))


def _figure(found: Findings, row: Row, name: str) -> float | None:
    if name == found.board.metric:
        return row.value
    return row.metrics.get(name, row.costs.get(name))
