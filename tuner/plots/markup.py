"""HTML and SVG in which text is escaped unless it is markup already."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape


class Markup(str):
    """What `tag` made; every other text is escaped where it is put in."""


def tag(name: str, *content: object, **attributes: object) -> Markup:
    """One element; None among content or attributes is left out.

    Attributes are spelled as Python allows: `class_`, `data_trial`, `stroke_width`.
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_text(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = joined(content)
    return Markup(f"<{name}{told}>{inner}</{name}>")


def void(name: str, **attributes: object) -> Markup:
    """An element that holds nothing, closed as both HTML and XML read it."""
    return Markup(tag(name, **attributes).removesuffix(f"></{name}>") + "/>")


def joined(content: Iterable[object]) -> Markup:
    """Content in a row, its texts escaped."""
    parts = (c if isinstance(c, Markup) else escape(_text(c)) for c in content if c is not None)
    return Markup("".join(parts))


def number(value: float | None, digits: int = 4) -> str:
    """A number to be read: few digits, nothing for None, thousands apart."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 10**digits and abs(value) < 1e12:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def shown(value: object) -> str:
    """A parameter's value to be read; nothing for None."""
    if isinstance(value, float):
        return number(value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _text(value: object) -> str:
    if isinstance(value, float):
        # Of coordinates, where a tenth of a pixel is enough.
        return f"{value:.1f}".removesuffix(".0")
    return str(value)
