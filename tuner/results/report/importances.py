"""What mattered: a bar for each searched parameter."""

from __future__ import annotations

from tuner.plots.frame import surface
from tuner.plots.markup import Markup, joined, tag, void
from tuner.results.report.findings import Findings
from tuner.search.config import FEWEST

_MOST = 20
_ROW, _NAMES, _WIDTH = 24, 220, 760


def section(found: Findings) -> Markup | None:
    """Shares of PED-ANOVA, the largest first."""
    if not found.board.searched:
        return None
    if not found.importances:
        text = f"Fewer than {FEWEST} trials with a usable model, or all alike: nothing can be said."
        return tag("p", text, class_="note")
    shares = list(found.importances.items())[:_MOST]
    largest = shares[0][1]
    bars: list[Markup] = []
    for place, (path, share) in enumerate(shares):
        y, width = place * _ROW, share / largest * (_WIDTH - _NAMES - 60)
        bars += [
            tag("text", path, x=_NAMES - 8, y=y + 16, text_anchor="end", class_="label"),
            void("rect", x=_NAMES, y=y + 4, width=max(width, 1), height=_ROW - 8, class_="bar"),
            tag("text", f"{share:.0%}", x=_NAMES + width + 6, y=y + 16),
        ]
    picture = surface(_WIDTH, len(shares) * _ROW, "Importance of each parameter", *bars)
    return joined(
        [
            tag(
                "p",
                "What set the best tenth of the trials apart, as shares of one (PED-ANOVA; every "
                "trial counts at its best value, stopped ones too). A parameter that hardly varied "
                "among the trials tried cannot show what it would have done.",
                class_="note",
            ),
            tag("figure", picture),
        ]
    )
