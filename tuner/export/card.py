"""The model card: a page of markdown for whoever is handed the folder."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tuner.export.contents import About, Contents, Score
from tuner.markdown import plain, table


def card(contents: Contents) -> str:
    """What the model is for, how good it is, how to use it and what it was made with.

    Names and values come from users' files: they are escaped, so that none becomes markup.
    """
    about = contents.about
    sections = [
        f"# {plain(about.name)}, trial {about.trial}",
        f"A recurrent network for {plain(about.task.name)}: sequences of {_reads(about)} "
        f"per step in, {about.signature.outputs} numbers per "
        f"{'step' if about.signature.per_step else 'sequence'} out.",
        "## Scores",
        _scores(about.scores),
        "Measured as the sweep measured every trial. The baseline is the naive model that a "
        "network has to beat, on the same validation data.",
        "## Use",
        USE,
        "The same graph runs in any ONNX runtime: `x` [batch, time, "
        + ("ids] int64" if about.signature.vocabulary else "features] float32")
        + ", padded on the right with anything valid, and `lengths` [batch] int64 give `y`. What "
        "turns a raw file into `x`, and `y` into an answer, stands under `preprocessing` in "
        "bundle.json.",
        _more(about),
        "## Parameters",
        table(["parameter", "value"], ((k, json.dumps(v)) for k, v in about.parameters.items())),
        "## Task",
        table(["option", "value"], ((k, json.dumps(v)) for k, v in about.task.options.items())),
        _formats(contents),
        "## Making",
        f"The graph equals the trained network within {contents.difference:.1e} on "
        f"{contents.batches} batches of sizes and lengths it was not traced with.",
        table(["library", "version"], contents.made_with.items()),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


USE = """```python
from tuner.export.bundle import Bundle

y = Bundle.open("this folder").run(x, lengths)
```"""


def _reads(about: About) -> str:
    if not about.signature.vocabulary:
        return f"{about.signature.inputs} features"
    return "one token" + (" and its characters" if about.signature.characters else "")


def _more(about: About) -> str:
    """What else the graph takes and gives."""
    if about.signature.transitions:
        return (
            "`transitions` [tags + 2, tags] score tags that follow one another, the start and the "
            "end last; the best path through both is the answer."
        )
    if about.signature.states:
        return (
            "A stream goes on from piece to piece: `state_0` and so on start as zeros, and "
            "`next_0` and so on are what the next piece is given."
        )
    return ""


def _formats(contents: Contents) -> str:
    """What else lies in the folder; nothing where that is all."""
    rows = (
        [name, exported.file, "; ".join(exported.notes) or "–"]
        for name, exported in contents.formats.items()
    )
    found = table(["format", "file", "notes"], rows)
    return f"## Formats\n\n{found}" if found else ""


def _scores(scores: Sequence[Score]) -> str:
    rows = (
        [score.metric, *map(_number, (score.validation, score.test, score.baseline))]
        for score in scores
    )
    return table(["metric", "validation", "test", "baseline"], rows) or "None were handed over."


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"
