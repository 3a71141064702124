"""Slices: the score against each parameter by itself."""

from __future__ import annotations

from search_spaces import Choice, Parameter
from tuner.plots.frame import Frame
from tuner.plots.markup import Markup, joined, tag
from tuner.plots.scale import Choices, Scale, of_scores
from tuner.results.report.findings import Findings
from tuner.results.report.scales import of_domain

_GOLDEN = 0.618034
"""Multiples of it fill an interval evenly."""


def section(found: Findings) -> Markup | None:
    """A small picture for each searched parameter."""
    scored = [row for row in found.drawn() if row.value is not None]
    if not scored or not found.searched:
        return None
    values = [row.value for row in scored if row.rank and row.value is not None]
    scale = of_scores(values or [row.value or 0.0 for row in scored], maximize=found.board.maximize)
    pictures = [_slice(found, parameter, scale) for parameter in found.searched]
    note = (
        "Each dot is a trial at its best value; dots at the edge lie beyond it. Trials without the "
        "parameter are left out."
    )
    return joined(
        [tag("p", note, class_="note"), tag("div", *pictures, class_="grid2")],
    )


def _slice(found: Findings, parameter: Parameter, scale: Scale) -> Markup:
    path, domain = parameter.path, parameter.domain
    frame = Frame(
        x=of_domain(domain),
        y=scale,
        x_label=path,
        y_label=found.board.metric,
        width=310,
        height=220,
        left=56,
        bottom=58 if isinstance(domain, Choice) else 44,
    )
    # Dots of one choice lie beside one another, lest they hide one another.
    room = 0.6 * 240 / len(frame.x.options) if isinstance(frame.x, Choices) else 0.0
    dots: list[Markup | None] = []
    for row in found.drawn():
        if path not in row.values or row.value is None:
            continue
        kind = found.kind(row)
        look = {"class_": f"at {kind}".strip(), "data_trial": row.number}
        shown = kind in ("winner", "default")
        draw = frame.cross if kind == "broken" else frame.dot
        aside = 0.0 if shown else room * (row.number * _GOLDEN % 1 - 0.5)
        dots.append(draw(row.values[path], row.value, 5 if shown else 2.6, aside=aside, **look))
    num = sum(dot is not None for dot in dots)
    title = f"{found.board.metric} against {path} in {num} trials"
    return tag("figure", frame.svg(title, *dots))
