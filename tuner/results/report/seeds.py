"""The best configurations on fresh seeds: means, their intervals, and ties."""

from __future__ import annotations

from tuner.plots.frame import Frame
from tuner.plots.markup import Markup, joined, number, tag, void
from tuner.plots.scale import Choices, spanning
from tuner.results.leaderboard import Row
from tuner.results.report.findings import Findings


def section(found: Findings) -> Markup | None:
    """An interval for each, with its seeds as dots and its score in the search as a cross."""
    rows = [row for row in found.board.rows if row.interval is not None]
    if not rows:
        return None
    values = [v for row in rows if (i := row.interval) for v in (*i.values, i.low, i.high)]
    values += [row.value for row in rows if row.value is not None]
    frame = Frame(
        x=spanning(values),
        y=Choices(tuple(f"trial {row.number}" for row in reversed(rows))),
        x_label=found.board.metric,
        y_label="",
        height=60 + 30 * len(rows),
        left=80,
    )
    marks = [_row(frame, row, found.kind(row)) for row in rows]
    note = (
        "Each configuration was trained again on fresh seeds: a dot is a seed, the bar the 95 % "
        "interval of their mean. The cross is the score of the search, too good on average, "
        "the best having been picked."
    )
    title = f"{found.board.metric} of {len(rows)} configurations on fresh seeds"
    broken = [row for row in found.board.rows if row.unstable]
    return joined(
        [
            tag("p", verdict(found), class_="verdict"),
            tag("p", note, class_="note"),
            tag("figure", frame.svg(title, *marks)),
            tag("ul", *(tag("li", f"trial {r.number}: {r.unstable}") for r in broken))
            if broken
            else None,
        ]
    )


def verdict(found: Findings) -> str:
    """Whether the winner is told from the others."""
    best, tied = found.board.best, found.board.tied
    if best is None or best.tie is None:
        return "Not all candidates have been trained on fresh seeds."
    if not tied:
        return f"Trial {best.number} is better than the other candidates."
    names = ", ".join(str(row.number) for row in tied)
    return f"A tie: nothing tells trial {best.number} from {names}."


def _row(frame: Frame, row: Row, kind: str) -> Markup:
    assert row.interval is not None
    name = f"trial {row.number}"
    left, mean, right = (
        frame.place(x, name) for x in (row.interval.low, row.interval.mean, row.interval.high)
    )
    assert left is not None and mean is not None and right is not None
    y, width = mean[1], max(right[0] - left[0], 1)
    bar = void("rect", x=left[0], y=y - 6, width=width, height=12, class_="interval")
    middle = void("line", x1=mean[0], x2=mean[0], y1=y - 9, y2=y + 9, class_="middle")
    dots = [frame.dot(v, name, 3, class_=f"at {kind}".strip()) for v in row.interval.values]
    old = frame.cross(row.value, name, 3.5, class_="mark old") if row.value is not None else None
    text = tag("text", number(row.interval.mean), x=mean[0], y=y - 11, text_anchor="middle")
    return tag("g", bar, middle, *dots, old, text, data_trial=row.number)
