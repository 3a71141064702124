"""The answer, first on the page."""

from __future__ import annotations

from tuner.plots.markup import Markup, joined, shown, tag
from tuner.results.answer import answer
from tuner.results.report.findings import Findings


def section(found: Findings) -> Markup:
    """Tiles of the facts that are numbers, then the others, then what the winner is made of."""
    facts = answer(found.board, found.importances)
    tiles = [
        tag(
            "div",
            tag("div", fact.name, class_="name"),
            tag("div", fact.figure, class_="figure"),
            tag("div", fact.text, class_="about"),
            class_="tile first" if place == 0 else "tile",
        )
        for place, fact in enumerate(facts)
        if fact.figure
    ]
    rest = [(fact.name, fact.text) for fact in facts if not fact.figure]
    best = found.board.best
    if best is not None:
        told = [p.path for p in found.searched if p.path in best.values]
        values = ", ".join(f"{path} = {shown(best.values[path])}" for path in told)
        rest.append((f"Trial {best.number} is", values or "the only configuration of its space"))
        if best.note:
            rest.append(("Its gradients", best.note))
    pairs = [part for name, text in rest for part in (tag("dt", name), tag("dd", text))]
    return joined([tag("div", *tiles, class_="tiles"), tag("dl", *pairs) if pairs else None])
