"""The look of all pictures, in light and dark."""

from __future__ import annotations

from pathlib import Path

from tuner.plots.markup import Markup, tag, void

CSS = Path(__file__).with_name("chart.css").read_text(encoding="utf-8")


def alone(picture: Markup) -> str:
    """A picture as a file of its own, with its look and its ground."""
    head, end, rest = picture.partition(">")
    ground = void("rect", width="100%", height="100%", class_="ground")
    return f"{head}{end}{tag('style', Markup(CSS))}{ground}{rest}\n"
