"""A picture with two axes, and the marks in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tuner.plots.markup import Markup, joined, tag, void
from tuner.plots.scale import Choices, Scale

_LINE = 14


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Two scales on a surface in pixels; y grows upwards."""

    x: Scale
    y: Scale
    x_label: str
    y_label: str
    width: int = 760
    height: int = 320
    left: int = 64
    right: int = 16
    top: int = 12
    bottom: int = 44

    def place(self, x: Any, y: Any) -> tuple[float, float] | None:
        """Pixels of a point; None where an axis does not hold it."""
        across, up = self.x.at(x), self.y.at(y)
        if across is None or up is None:
            return None
        return self._across(across), self._up(up)

    def line(
        self, points: Iterable[tuple[Any, Any]], *, marks: bool = False, **attributes: Any
    ) -> Markup:
        """A line through points, broken where one is missing; a lone point is a dot."""
        parts: list[list[tuple[float, float]]] = [[]]
        for x, y in points:
            place = self.place(x, y)
            if place is None:
                parts.append([])
            else:
                parts[-1].append(place)
        path = " ".join(
            "M" + "L".join(f"{_short(x)},{_short(y)}" for x, y in part)
            for part in parts
            if len(part) > 1
        )
        dots = [p for part in parts if len(part) == 1 or marks for p in part]
        return joined(
            [
                void("path", d=path, fill="none", **attributes) if path else None,
                *(void("circle", cx=x, cy=y, r=2.2, **_dotted(attributes)) for x, y in dots),
            ]
        )

    def band(
        self, x: Sequence[Any], low: Sequence[float], high: Sequence[float], **attributes: Any
    ) -> Markup:
        """The surface between two lines."""
        edge = [*zip(x, low, strict=True), *reversed(list(zip(x, high, strict=True)))]
        places = [p for p in (self.place(*point) for point in edge) if p is not None]
        text = " ".join(f"{_short(a)},{_short(b)}" for a, b in places)
        return void("polygon", points=text, **attributes)

    def dot(
        self, x: Any, y: Any, r: float = 3, *, aside: float = 0, **attributes: Any
    ) -> Markup | None:
        """A filled circle, so many pixels beside its place."""
        if (place := self.place(x, y)) is None:
            return None
        return void("circle", cx=place[0] + aside, cy=place[1], r=r, **attributes)

    def cross(
        self, x: Any, y: Any, r: float = 3, *, aside: float = 0, **attributes: Any
    ) -> Markup | None:
        """A cross: what ended badly, told without colour."""
        if (place := self.place(x, y)) is None:
            return None
        a, b = place[0] + aside, place[1]
        path = f"M{a - r:.1f},{b - r:.1f}l{2 * r},{2 * r}m0,{-2 * r}l{-2 * r},{2 * r}"
        return void("path", d=path, fill="none", **attributes)

    def level(self, y: Any, text: str, **attributes: Any) -> Markup | None:
        """A line across the whole picture, such as a baseline, with its name."""
        if (up := self.y.at(y)) is None:
            return None
        height = self._up(up)
        ends = {"x1": self.left, "x2": self.width - self.right, "y1": height, "y2": height}
        # Below the line where there is no room above it.
        above = height > self.top + _LINE
        name = tag(
            "text",
            text,
            x=self.width - self.right - 4,
            y=height - 4 if above else height + _LINE,
            text_anchor="end",
            class_="name",
        )
        return joined([void("line", **ends, **attributes), name])

    def upright(self, x: Any, **attributes: Any) -> Markup | None:
        """A line from bottom to top, such as a rung."""
        if (across := self.x.at(x)) is None:
            return None
        place = self._across(across)
        ends = {"y1": self.top, "y2": self.height - self.bottom, "x1": place, "x2": place}
        return void("line", **ends, **attributes)

    def svg(self, title: str, *marks: object, class_: str | None = None) -> Markup:
        """The whole picture; `title` is what is read out to those who do not see it."""
        return surface(self.width, self.height, title, self._axes(), *marks, class_=class_)

    def _across(self, share: float) -> float:
        return self.left + share * (self.width - self.left - self.right)

    def _up(self, share: float) -> float:
        return self.height - self.bottom - share * (self.height - self.top - self.bottom)

    def _axes(self) -> Markup:
        floor, edge = self.height - self.bottom, self.width - self.right
        parts: list[object] = []
        for tick in self.y.ticks():
            y = self._up(tick.place)
            parts.append(void("line", x1=self.left, x2=edge, y1=y, y2=y, class_="grid"))
            text = tag("text", tick.text, x=self.left - 6, y=y + 4, text_anchor="end")
            parts.append(text)
        ticks = self.x.ticks()
        named = isinstance(self.x, Choices)
        crowded = sum(len(t.text) + 2 for t in ticks) * 7 > edge - self.left
        for place, tick in enumerate(ticks):
            x = self._across(tick.place)
            parts.append(void("line", x1=x, x2=x, y1=floor, y2=floor + 4, class_="axis"))
            # Where one row would run together: names in two rows, every other number.
            if crowded and not named and place % 2:
                continue
            lower = _LINE if crowded and named and place % 2 else 0
            text = tag("text", tick.text, x=x, y=floor + 16 + lower, text_anchor="middle")
            parts.append(text)
        parts.append(
            void(
                "path",
                d=f"M{self.left},{self.top}V{floor}H{edge}",
                fill="none",
                class_="axis",
            )
        )
        middle = (self.left + edge) / 2
        look = {"text_anchor": "middle", "class_": "label"}
        parts.append(tag("text", self.x_label, x=middle, y=self.height - 4, **look))
        up = (self.top + floor) / 2
        turned = f"translate(12,{up:.0f})rotate(-90)"
        parts.append(tag("text", self.y_label, transform=turned, **look))
        return joined(parts)


def surface(
    width: float, height: float, title: str, *content: object, class_: str | None = None
) -> Markup:
    """An SVG of so many pixels, which scales with its page."""
    return tag(
        "svg",
        tag("title", title),
        *content,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}",
        role="img",
        aria_label=title,
        class_=class_,
    )


def _dotted(attributes: dict[str, Any]) -> dict[str, Any]:
    """A line's look for a dot."""
    return attributes | {"class_": f"{attributes.get('class_', '')} spot".strip()}


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
