"""Parallel coordinates: each trial a line through all its parameters to its score."""

from __future__ import annotations

from search_spaces import Parameter
from tuner.plots.frame import surface
from tuner.plots.markup import Markup, joined, tag, void
from tuner.plots.scale import Beside, Scale, of_scores
from tuner.results.leaderboard import Row
from tuner.results.report.findings import Findings
from tuner.results.report.scales import of_domain

_MOST = 8
"""Parameters; those that mattered most."""
_WIDTH, _HEIGHT, _TOP, _BOTTOM, _SIDE = 960, 380, 44, 16, 50
_ABSENT = "absent"


def section(found: Findings) -> Markup | None:
    """The parameters that mattered most, and the score last."""
    rows = [row for row in found.drawn() if row.rank and row.value is not None]
    parameters = found.searched[:_MOST]
    if len(rows) < 2 or not parameters:
        return None
    values = [row.value for row in rows if row.value is not None]
    score = of_scores(values, maximize=found.board.maximize)
    scales = [_scale(parameter, rows) for parameter in parameters] + [score]
    names = [parameter.path for parameter in parameters] + [found.board.metric]
    ways = [_way(found, row, parameters, scales) for row in rows]
    axes = [_axis(place, names, scale) for place, scale in enumerate(scales)]
    title = f"Parameters and {found.board.metric} of {len(rows)} trials"
    picture = surface(_WIDTH, _HEIGHT, title, *ways, *axes, class_="ways")
    left = len(found.searched) - len(parameters)
    note = (
        "A line for each ranked trial, stronger the better it is. Drag along an axis to keep only "
        "the lines that pass there; click it to let go."
        + (f" The {left} parameters that mattered least are left out." if left else "")
    )
    figure = tag("figure", picture, class_="wide")
    return joined([tag("p", note, class_="note"), figure])


def _scale(parameter: Parameter, rows: list[Row]) -> Scale:
    scale = of_domain(parameter.domain)
    if all(parameter.path in row.values for row in rows):
        return scale
    return Beside(_ABSENT, "–", scale)


def _way(
    found: Findings, row: Row, parameters: list[Parameter], scales: list[Scale]
) -> Markup | None:
    told = [row.values.get(parameter.path, _ABSENT) for parameter in parameters] + [row.value]
    places = [scale.at(value) for scale, value in zip(scales, told, strict=True)]
    points = [(_across(i, len(scales)), _up(p)) for i, p in enumerate(places) if p is not None]
    if len(points) < len(scales):
        return None
    assert places[-1] is not None
    share = places[-1] if found.board.maximize else 1 - places[-1]
    return void(
        "polyline",
        points=" ".join(f"{x:.0f},{y:.1f}" for x, y in points),
        class_=f"way {'winner' if found.kind(row) == 'winner' else ''}".strip(),
        style=f"--share:{100 * share**2:.0f}%",
        data_trial=row.number,
    )


def _axis(place: int, names: list[str], scale: Scale) -> Markup:
    x, last = _across(place, len(names)), place == len(names) - 1
    section, _, field = names[place].partition("/")
    upper, lower = (section, field) if field else ("", section)
    parts: list[object] = [
        tag("text", upper, x=x, y=14, text_anchor="middle"),
        tag("text", lower, x=x, y=30, text_anchor="middle", class_="label"),
        void("line", x1=x, x2=x, y1=_TOP, y2=_HEIGHT - _BOTTOM, class_="axis"),
    ]
    side = -6 if last else 6
    anchor = "end" if last else "start"
    for tick in scale.ticks():
        y = _up(tick.place)
        text = tag("text", tick.text, x=x + side, y=y + 4, text_anchor=anchor, class_="name")
        parts += [void("line", x1=x - 3, x2=x + 3, y1=y, y2=y, class_="axis"), text]
    area = {"x": x - 12, "width": 24, "data_axis": place}
    parts += [
        void("rect", y=_TOP, height=0, class_="chosen", **area),
        void("rect", y=_TOP, height=_HEIGHT - _TOP - _BOTTOM, class_="brush", **area),
    ]
    return tag("g", *parts)


def _across(place: int, num: int) -> float:
    return _SIDE + place * (_WIDTH - 2 * _SIDE) / max(num - 1, 1)


def _up(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)
