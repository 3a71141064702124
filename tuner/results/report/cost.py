"""What the search cost: seconds by state, and who trained when."""

from __future__ import annotations

from collections.abc import Mapping

from tuner.outcome import State
from tuner.plots.frame import Frame
from tuner.plots.markup import Markup, joined, tag, void
from tuner.plots.scale import Choices, Linear
from tuner.results.answer import duration
from tuner.results.report.findings import Findings

Span = tuple[float, float, int]
"""Begin and end in seconds, and the trial."""


def section(found: Findings) -> Markup | None:
    """A table by state, and the lanes over time."""
    rows = found.board.rows
    if not rows:
        return None
    body = []
    for state in dict.fromkeys(State(name) for name in found.board.counts()):
        mine = [row for row in rows if row.state is state]
        seconds = sum(row.seconds for row in mine)
        told = [state.value.lower(), len(mine), sum(row.epochs for row in mine), duration(seconds)]
        body.append(tag("tr", tag("td", told[0], class_="text"), *(tag("td", t) for t in told[1:])))
    heads = [
        tag("th", "state", class_="text"),
        *(tag("th", h) for h in ("trials", "epochs", "time")),
    ]
    table = tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *body))
    reasons = _reasons(found)
    return joined([table, reasons, _lanes(found)])


def _reasons(found: Findings) -> Markup | None:
    """Why trials ended that have no usable model."""
    lost = [f"{r.state.lower()}: {r.reason}" for r in found.board.rows if not r.rank and r.reason]
    if not lost:
        return None
    counts = sorted({text: lost.count(text) for text in lost}.items(), key=lambda item: -item[1])
    items = [tag("li", f"{count} × {text}") for text, count in counts[:10]]
    return joined([tag("h3", "Trials without a usable model"), tag("ul", *items)])


def _lanes(found: Findings) -> Markup | None:
    spans = _spans(found)
    if len(spans) < 2:
        return None
    lanes = packed(spans)
    first = min(begin for begin, _, _ in spans)
    last = max(end for _, end, _ in spans)
    busy = sum(end - begin for begin, end, _ in spans)
    unit, name = (60.0, "minutes") if last - first > 300 else (1.0, "seconds")
    frame = Frame(
        x=Linear(0.0, (last - first) / unit),
        y=Choices(tuple(range(1, len(lanes) + 1))),
        x_label=name,
        y_label="lane",
        width=960,
        height=56 + 26 * len(lanes),
        top=4,
    )
    kinds = {row.number: found.kind(row) for row in found.board.rows}
    bars = [
        _bar(frame, lane, ((begin - first) / unit, (end - first) / unit), trial, kinds)
        for lane, spans_of_lane in enumerate(lanes, 1)
        for begin, end, trial in spans_of_lane
    ]
    share = busy / (len(lanes) * (last - first)) if last > first else 1.0
    note = (
        f"{duration(busy)} of training within {duration(last - first)}, at most {len(lanes)} "
        f"trials at a time: {share:.0%} of that time was training."
    )
    picture = frame.svg("When each trial was trained", *bars)
    return joined([tag("h3", "Lanes"), tag("p", note, class_="note"), tag("figure", picture)])


def _bar(
    frame: Frame, lane: int, ends: tuple[float, float], trial: int, kinds: Mapping[int, str]
) -> Markup | None:
    begin, end = (frame.place(x, lane) for x in ends)
    if begin is None or end is None:
        return None
    return void(
        "rect",
        x=begin[0],
        y=begin[1] - 9,
        width=max(end[0] - begin[0], 0.5),
        height=18,
        class_=f"span {kinds[trial]}".strip(),
        data_trial=trial,
    )


def _spans(found: Findings) -> list[Span]:
    """When each ended trial was trained; interrupted ones as if in one piece, before their end."""
    spans = []
    for number, record in found.records.items():
        if record.ended is not None and record.outcome is not None:
            end = record.ended.timestamp()
            spans.append((end - record.outcome.seconds, end, number))
    return spans


def packed(spans: list[Span]) -> list[list[Span]]:
    """Spans on as few lanes as hold them without overlap."""
    lanes: list[list[Span]] = []
    for span in sorted(spans):
        # An end is noted a little after it was: what touches does not overlap.
        free = next((lane for lane in lanes if lane[-1][1] <= span[0] + _TOUCH), None)
        if free is None:
            lanes.append([span])
        else:
            free.append(span)
    return lanes


_TOUCH = 0.05
"""Seconds."""
