"""The whole page: one file that needs no network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tuner.plots import style
from tuner.plots.markup import Markup, number, shown, tag
from tuner.results.leaderboard import Row
from tuner.results.report import (
    answer,
    cost,
    curves,
    errors,
    importances,
    leaderboard,
    parallel,
    pareto,
    repeat,
    seeds,
    slices,
)
from tuner.results.report.findings import Findings

_FOLDER = Path(__file__).parent


def page(found: Findings) -> str:
    """HTML of all sections that have something to show."""
    sections = {
        "Leaderboard": leaderboard.section(found),
        "Fresh seeds": seeds.section(found),
        "Pareto front": pareto.section(found),
        "Learning curves": curves.section(found),
        "What mattered": importances.section(found),
        "Slices": slices.section(found),
        "Parallel coordinates": parallel.section(found),
        "Errors of the winner": errors.section(found),
        "Cost": cost.section(found),
        "Spec": repeat.spec(found),
        "How to repeat it": repeat.section(found),
    }
    told = {name: section for name, section in sections.items() if section}
    title = f"{found.spec.name}: {found.spec.task['name']}"
    head = tag(
        "head",
        Markup('<meta charset="utf-8"/>'),
        Markup('<meta name="viewport" content="width=device-width, initial-scale=1"/>'),
        tag("title", title),
        tag("style", Markup(style.CSS + _text("page.css"))),
    )
    goal = "largest" if found.board.maximize else "smallest"
    about = (
        f"Sequences for {found.spec.task['name'].replace('_', ' ')}; the {goal} validation "
        f"{found.board.metric} wins. {_rows(found.card.num_sequences)}."
    )
    body = tag(
        "body",
        tag("h1", found.spec.name),
        tag("p", about, class_="about"),
        answer.section(found),
        tag("nav", *(tag("a", name, href=f"#{_id(name)}") for name in told)),
        *(tag("section", tag("h2", name, id=_id(name)), section) for name, section in told.items()),
        tag("div", id="tip"),
        _data({str(row.number): _line(found, row) for row in found.board.rows}),
        tag("script", Markup(_text("page.js"))),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _line(found: Findings, row: Row) -> str:
    """What the pointer tells of a trial."""
    value = f"{found.board.metric} {number(row.value)}" if row.value is not None else "no value"
    told = [f"trial {row.number}, {row.state.lower()}: {value}, {row.epochs} epochs"]
    paths = [p.path for p in found.searched[:8] if p.path in row.values]
    told += [f"{path} = {shown(row.values[path])}" for path in paths]
    return "\n".join(told)


def _data(lines: Mapping[str, str]) -> Markup:
    # `<` would let a text end the script.
    text = json.dumps(lines, ensure_ascii=False).replace("<", "\\u003c")
    return tag("script", Markup(text), type="application/json", id="trials")


def _rows(counts: Mapping[str, int]) -> str:
    told = [f"{count:,} {split}" for split, count in counts.items() if count]
    return f"Sequences: {', '.join(told)}"


def _id(name: str) -> str:
    return name.lower().replace(" ", "-")


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
