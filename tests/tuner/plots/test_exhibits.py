"""Exhibits: read back as they were, drawn as sound and harmless SVG."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest

from tuner.plots.exhibits import Exhibit, Heat, Line, Lines, Listing, Points, Text, from_json
from tuner.plots.markup import Markup, tag
from tuner.plots.style import alone

HOSTILE = "<script>alert('&\"')</script>"
ALL: list[Exhibit] = [
    Lines(
        about=HOSTILE,
        x_label="steps",
        y_label=HOSTILE,
        lines=(
            Line(name="band", x=(1.0, 2.0), y=(1.0, 2.0), low=(0.0, 1.0), high=(2.0, 3.0)),
            Line(name=HOSTILE, x=(0.0, 1.0, 2.0), y=(1.0, None, 2.0)),
        ),
    ),
    Lines(about="Nothing.", x_label="", y_label="", lines=()),
    Points(about=HOSTILE, x_label="true", y_label="said", x=(1.0, 2.0), y=(1.0, 3.0)),
    Points(about="Nothing.", x_label="true", y_label="said", x=(), y=()),
    Heat(
        about="Shares.",
        columns=("a", HOSTILE),
        rows=((HOSTILE, (0.1, None)), ("b", (1.0, 0.0))),
        marks=((HOSTILE, ""), ("2", "")),
    ),
    Listing(about="Errors.", columns=("id", HOSTILE), rows=(("1", HOSTILE),)),
    Text(about="A sample.", text=HOSTILE),
]


@pytest.mark.parametrize("exhibit", ALL, ids=lambda e: e.KIND)
def test_what_is_kept_is_read_back(exhibit: Exhibit) -> None:
    data = json.loads(exhibit.files()["json"], parse_constant=pytest.fail)
    assert from_json(data) == exhibit


@pytest.mark.parametrize("exhibit", ALL, ids=lambda e: e.KIND)
def test_what_is_drawn_is_sound_and_harmless(exhibit: Exhibit) -> None:
    drawn = exhibit.draw()
    root = ElementTree.fromstring(alone(drawn) if drawn.startswith("<svg") else drawn)
    assert not [e for e in root.iter() if e.tag.endswith("script")]
    assert "nan" not in drawn


def test_a_gap_breaks_a_line() -> None:
    picture = ALL[0].draw()
    assert picture.count("M") >= 2
    spots = picture.count("spot")
    assert spots == 2, "points without neighbours are dots"


def test_only_markup_is_not_escaped() -> None:
    assert (
        tag("b", "<i>", Markup("<i/>"), None, 1.25, id='"') == '<b id="&quot;">&lt;i&gt;<i/>1.2</b>'
    )
