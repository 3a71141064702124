"""Learning curves of all trials, each as far as it was trained; and the winner's own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tuner.outcome import State
from tuner.plots.frame import Frame
from tuner.plots.markup import Markup, joined, number, tag, void
from tuner.plots.scale import Linear, of_scores, spanning
from tuner.results.report.findings import Findings

_POINTS = 24_000
"""Of all curves together: the page stays small, and no screen shows more."""


def section(found: Findings) -> Markup | None:
    """Validation score over epochs."""
    name = f"validation/{found.board.metric}"
    curves = {n: columns for n, columns in found.curves.items() if columns.get(name)}
    if not curves:
        return None
    most = max(20, _POINTS // len(curves))
    frame = Frame(
        x=_epochs(curves),
        y=of_scores([v for c in curves.values() for v in c[name]], maximize=found.board.maximize),
        x_label="epoch",
        y_label=found.board.metric,
        width=960,
        height=400,
    )
    marks: list[Markup | None] = [
        frame.upright(rung, class_="rung", stroke_dasharray="1 4")
        for rung in sorted({rung for record in found.records.values() for rung in record.rungs})
    ]
    for baseline in found.board.baselines:
        # Named with its value: a far one is drawn at the edge.
        name_and_value = f"{baseline.name} {number(baseline.validation)}"
        marks.append(frame.level(baseline.validation, name_and_value, class_="mark"))
    for row in found.drawn():
        if row.number not in curves:
            continue
        columns, kind = curves[row.number], found.kind(row)
        points = thinned(columns["epoch"], columns[name], most)
        parts = [frame.line(points, class_=f"trial {kind}".strip())]
        told = [point for point in points if math.isfinite(point[1])]
        if told and row.state in (State.PRUNED, State.DIVERGED) and kind in ("pruned", "broken"):
            parts.append(frame.cross(*told[-1], class_=f"trial {kind}") or Markup())
        marks.append(tag("g", *parts, data_trial=row.number))
    picture = frame.svg(f"Learning curves of {len(curves)} trials", *marks)
    return joined(
        [
            tag(
                "p",
                "Each line is a trial, as far as it was trained. A cross is where it was stopped, "
                "dotted uprights are where the scheduler looked.",
                class_="note",
            ),
            legend(found),
            tag("figure", picture),
            _winner(found, name),
        ]
    )


def legend(found: Findings) -> Markup:
    """What the colours mean, of the kinds that there are."""
    names = {
        "winner": "winner",
        "default": "untuned default",
        "": "other trials",
        "pruned": "stopped early",
        "broken": "without a usable model",
    }
    kinds = {found.kind(row) for row in found.board.rows}

    def key(kind: str, text: str) -> Markup:
        line = void("path", d="M0,6H22", class_=f"trial {kind}".strip())
        picture = tag("svg", line, viewBox="0 0 22 12", aria_hidden="true")
        return tag("span", picture, text, class_="key")

    return tag("p", *(key(kind, text) for kind, text in names.items() if kind in kinds))


def thinned(
    epochs: Sequence[float], values: Sequence[float], most: int
) -> list[tuple[float, float]]:
    """At most so many points of a curve: of each piece its least and its largest value."""
    points = list(zip(epochs, values, strict=True))
    if len(points) <= most:
        return points
    size = math.ceil(2 * len(points) / most)
    kept: list[tuple[float, float]] = []
    for begin in range(0, len(points), size):
        piece = [p for p in points[begin : begin + size] if math.isfinite(p[1])]
        ends = {min(piece, key=lambda p: p[1]), max(piece, key=lambda p: p[1])} if piece else set()
        kept += sorted(ends)
    return [points[0], *(p for p in kept if p not in (points[0], points[-1])), points[-1]]


def _winner(found: Findings, name: str) -> Markup | None:
    """Losses and gradient norms of the winner, each on its own scale."""
    best = found.board.best
    if best is None or best.number not in found.curves:
        return None
    columns = found.curves[best.number]
    losses = [n for n in ("train/loss", "validation/loss") if n in columns]
    norms = [n for n in columns if n.startswith("train/grad_norm/")]
    norms = [n for n in norms if n.endswith(("/total", "/largest", "/first_over_last_step"))]
    pictures = [
        _lines(columns, names, label)
        for names, label in ((losses, "loss"), (norms, "norm of the gradient"))
        if names
    ]
    if name not in losses:
        pictures.insert(0, _lines(columns, [name], found.board.metric))
    return joined(
        [tag("h3", f"Trial {best.number}, the winner"), tag("div", *pictures, class_="grid2")]
    )


_LOOKS = ("", " second", " third", " fourth")


def _lines(columns: Mapping[str, list[float]], names: Sequence[str], label: str) -> Markup:
    values = [v for n in names for v in columns[n]]
    epochs = columns["epoch"]
    frame = Frame(
        x=Linear(epochs[0], epochs[-1]),
        y=spanning(values),
        x_label="epoch",
        y_label=label,
        width=380,
        height=240,
    )
    lines = [
        frame.line(thinned(epochs, columns[n], 200), class_=f"line{look}")
        for n, look in zip(names, _LOOKS, strict=False)
    ]
    keys = [
        tag(
            "span",
            tag(
                "svg",
                void("path", d="M0,6H22", class_=f"line{look}"),
                viewBox="0 0 22 12",
                aria_hidden="true",
            ),
            n.removeprefix("train/grad_norm/"),
            class_="key",
        )
        for n, look in zip(names, _LOOKS, strict=False)
    ]
    title = f"{label} of the winner over its epochs"
    return tag("figure", frame.svg(title, *lines), tag("figcaption", *keys))


def _epochs(curves: Mapping[int, Mapping[str, list[float]]]) -> Linear:
    first = min(columns["epoch"][0] for columns in curves.values())
    last = max(columns["epoch"][-1] for columns in curves.values())
    return Linear(first, last)
