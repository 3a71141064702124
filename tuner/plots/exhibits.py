"""What a model does, to be looked at: each kind knows how it is drawn and how it is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from tuner import markdown
from tuner.plots.frame import Frame, surface
from tuner.plots.markup import Markup, joined, tag, void
from tuner.plots.scale import Linear, spanning
from tuner.plots.style import alone

_LOOKS = ("", " second", " third", " fourth")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One of some lines; None is a gap."""

    name: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    low: tuple[float, ...] = ()
    """Of a band around it, if it has one."""
    high: tuple[float, ...] = ()


class Exhibit:
    """One picture."""

    KIND: ClassVar[str]
    about: str
    """What it shows, in a sentence."""

    def draw(self) -> Markup:
        """As SVG, to stand in a page."""
        raise NotImplementedError

    def files(self) -> dict[str, str]:
        """Extension → content: for people, and for programs."""
        data = {"kind": self.KIND, **asdict(self)}  # type: ignore[call-overload]
        return {"json": json.dumps(data, indent=1, allow_nan=False), "svg": alone(self.draw())}


@dataclass(frozen=True, kw_only=True)
class Lines(Exhibit):
    """Lines in one frame, the last one on top."""

    KIND = "lines"
    about: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]

    def draw(self) -> Markup:
        told = [v for line in self.lines for v in (*line.y, *line.low, *line.high)]
        values = [v for v in told if v is not None]
        places = [x for line in self.lines for x in line.x] or [0.0]
        frame = Frame(
            x=Linear(min(places), max(places)),
            y=spanning(values),
            x_label=self.x_label,
            y_label=self.y_label,
            height=300,
            top=34,
        )
        bands = [
            frame.band(line.x, line.low, line.high, class_="band")
            for line in self.lines
            if line.low
        ]
        looks = list(zip(self.lines, _LOOKS, strict=False))
        lines = [frame.line(zip(e.x, e.y, strict=True), class_=f"line{look}") for e, look in looks]
        return frame.svg(self.about, *bands, *lines, _key(frame, looks))


@dataclass(frozen=True, kw_only=True)
class Points(Exhibit):
    """What was predicted against what is true; the diagonal is right."""

    KIND = "points"
    about: str
    x_label: str
    y_label: str
    x: tuple[float, ...]
    y: tuple[float, ...]

    def draw(self) -> Markup:
        scale = spanning([*self.x, *self.y])
        frame = Frame(
            x=scale, y=scale, x_label=self.x_label, y_label=self.y_label, width=420, height=400
        )
        ends = [(end, end) for end in (scale.low, scale.high)]
        dots = [
            frame.dot(x, y, 2.5, class_="dot", fill_opacity="0.5")
            for x, y in zip(self.x, self.y, strict=True)
        ]
        return frame.svg(self.about, frame.line(ends, class_="mark"), *dots)


@dataclass(frozen=True, kw_only=True)
class Heat(Exhibit):
    """A table of shares from 0 to 1, darker where larger; None is no cell."""

    KIND = "heat"
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[float | None, ...]], ...]
    marks: tuple[tuple[str, ...], ...] = ()
    """What is written into each cell, if anything."""

    def draw(self) -> Markup:
        names = max([len(name) for name, _ in self.rows] or [0])
        left = min(7 * names + 12, 200)
        letters = max([len(mark) for row in self.marks for mark in row] or [0])
        num = max(len(self.columns), 1)
        width = min(max(7.5 * letters + 8, 16.0), max(900 / num, 16.0))
        width = max(width, min(44.0, 600 / num))
        height = 24.0
        slanted = max([len(name) for name in self.columns] or [0]) * 7 > width
        top = 8 + (min(max(map(len, self.columns), default=0) * 7, 110) if slanted else 16)
        parts: list[object] = []
        for place, name in enumerate(self.columns):
            x = left + (place + 0.5) * width
            turned = f"translate({x + 4:.1f},{top - 4})rotate(-90)" if slanted else None
            at = {"transform": turned} if slanted else {"x": x, "y": top - 6}
            parts.append(
                tag("text", _cut(name), text_anchor="start" if slanted else "middle", **at)
            )
        for row, (name, shares) in enumerate(self.rows):
            y = top + row * height
            parts.append(tag("text", _cut(name, 28), x=left - 6, y=y + 16, text_anchor="end"))
            for column, share in enumerate(shares):
                if share is not None:
                    mark = self.marks[row][column] if self.marks else ""
                    parts.append(_cell(left + column * width, y, width, height, share, mark))
        size = left + len(self.columns) * width + 8, top + len(self.rows) * height + 8
        return surface(max(size[0], 160), size[1], self.about, *parts)


@dataclass(frozen=True, kw_only=True)
class Text(Exhibit):
    """Something to be read."""

    KIND = "text"
    about: str
    text: str

    def draw(self) -> Markup:
        return tag("pre", self.text)

    def files(self) -> dict[str, str]:
        kept = super().files()
        return {"json": kept["json"], "txt": f"{self.about}\n\n{self.text}\n"}


@dataclass(frozen=True, kw_only=True)
class Listing(Exhibit):
    """A table of texts."""

    KIND = "listing"
    about: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def draw(self) -> Markup:
        head = tag("tr", *(tag("th", name, class_="text") for name in self.columns))
        body = (tag("tr", *(tag("td", cell, class_="text") for cell in row)) for row in self.rows)
        return tag("table", tag("thead", head), tag("tbody", *body))

    def files(self) -> dict[str, str]:
        head = [markdown.plain(name) for name in self.columns]
        told = f"{self.about}\n\n{markdown.table(head, self.rows)}\n"
        return {"json": super().files()["json"], "md": told}


KINDS: Mapping[str, type[Exhibit]] = {
    kind.KIND: kind for kind in (Lines, Points, Heat, Text, Listing)
}


def stacked(title: str, pictures: Sequence[Exhibit | None]) -> Markup:
    """Pictures below one another under a title."""
    drawn = [picture.draw() for picture in pictures if picture is not None]
    parts: list[object] = [tag("text", title, x=12, y=20, class_="label")]
    y, width = 32.0, 0.0
    for picture in drawn:
        size = _size(picture)
        # As a group: a picture within a picture takes the whole height in some browsers.
        inner = Markup(picture.partition(">")[2].removesuffix("</svg>"))
        parts.append(tag("g", inner, transform=f"translate(0,{y:g})"))
        y, width = y + size[1], max(width, size[0])
    return surface(width, y, title, *parts)


def _size(picture: Markup) -> tuple[float, float]:
    width, height = picture.partition('viewBox="0 0 ')[2].partition('"')[0].split()
    return float(width), float(height)


def from_json(data: Mapping[str, Any]) -> Exhibit:
    """The exhibit that `files` kept as JSON."""
    given = {key: _frozen(value) for key, value in data.items() if key != "kind"}
    if "lines" in given:
        given["lines"] = tuple(
            Line(**{key: _frozen(value) for key, value in line.items()}) for line in data["lines"]
        )
    return KINDS[data["kind"]](**given)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _cell(x: float, y: float, width: float, height: float, share: float, mark: str) -> Markup:
    shade = min(max(share, 0.0), 1.0)
    box = void(
        "rect", x=x, y=y, width=width, height=height, class_="cell", fill_opacity=f"{shade:.2f}"
    )
    if not mark:
        return box
    look = "on" if shade > 0.55 else "label"
    text = tag("text", mark, x=x + width / 2, y=y + 16, text_anchor="middle", class_=look)
    return joined([box, text])


def _key(frame: Frame, looks: list[tuple[Line, str]]) -> Markup:
    """The lines' names above the frame."""
    parts: list[object] = []
    x = float(frame.left)
    for line, look in looks:
        parts.append(void("path", d=f"M{x:.0f},16h22", fill="none", class_=f"line{look}"))
        parts.append(tag("text", line.name, x=x + 28, y=20, class_="label"))
        x += 50 + 7 * len(line.name)
    return joined(parts)


def _cut(text: str, most: int = 16) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
