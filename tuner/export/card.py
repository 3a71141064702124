"""The model card: a page of markdown for whoever is handed the folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from tuner.export.contents import About, Contents, Score
from tuner.export.told import kib, of_pruning
from tuner.markdown import plain, table


def card(contents: Contents) -> str:
    """What the model is for, how good it is, what it cannot do, how to use it and to make it again.

    Names and values come from users' files: they are escaped, so that none becomes markup.
    """
    about = contents.about
    sections = [
        f"# {plain(about.name)}, trial {about.trial}",
        f"A recurrent network for {plain(about.task.name)}: sequences of {_reads(about)} "
        f"per step in, {_gives(about)} out.",
        "## Scores",
        _scores(about.scores),
        "Measured as the sweep measured every trial. The baseline is the naive model that a "
        "network has to beat, on the same validation data.",
        *_proof(contents),
        "## Use",
        SAY if about.signature.decoder else USE.format(", side" if about.signature.side else ""),
        "The same graph runs in any ONNX runtime: `x` [batch, time, "
        + ("ids] int64" if about.signature.vocabulary else "features] float32")
        + ", padded on the right with anything valid, and `lengths` [batch] int64 give "
        + ("what `decoder.onnx` goes on from" if about.signature.decoder else "`y`")
        + (
            f". A second input stands beside each sequence: `side` [batch, {about.signature.side}] "
            "float32, its numbers, scaled, then the pixels of its picture row by row"
            if about.signature.side
            else ""
        )
        + ". What turns a raw file into `x`, and what comes out into an answer, stands under "
        "`preprocessing` in bundle.json.",
        _more(about),
        "## Limits",
        "\n".join(f"- {plain(limit)}" for limit in about.limits) or "None were handed over.",
        *_data(about),
        "## Licence",
        plain(about.licence) or "Not stated. Ask whoever handed this folder over.",
        "## Parameters",
        table(["parameter", "value"], ((k, json.dumps(v)) for k, v in about.parameters.items())),
        "## Task",
        table(["option", "value"], ((k, json.dumps(v)) for k, v in about.task.options.items())),
        *_making(contents),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


USE = """```python
from tuner.export.bundle import Bundle

y = Bundle.open("this folder").run(x, lengths{})
```"""

SAY = """```python
from tuner.predictor import Predictor

answers = Predictor.open("this folder").read([path])
```"""

STREAM = """```python
states = bundle.start(num)                  # so many streams, before their first step
y, states = bundle.carry(x, lengths, states)  # a piece of each, and so on
```"""


def _reads(about: About) -> str:
    if not about.signature.vocabulary:
        return f"{about.signature.inputs} features"
    return "one token" + (" and its characters" if about.signature.characters else "")


def _gives(about: About) -> str:
    if about.signature.decoder is not None:
        if about.signature.decoder.frames_per_step:
            return f"frames of {about.signature.outputs - 1} numbers per sequence"
        return f"a text of {about.signature.outputs} kinds of tokens per sequence"
    return (
        f"{about.signature.outputs} numbers per "
        f"{'step' if about.signature.per_step else 'sequence'}"
    )


def _more(about: About) -> str:
    """What else the graph takes and gives."""
    if about.signature.transitions:
        return (
            "`transitions` [tags + 2, tags] score tags that follow one another, the start and the "
            "end last; the best path through both is the answer."
        )
    if about.signature.decoder is not None:
        kept = ", `lengths`" if about.signature.decoder.kept else ""
        if about.signature.decoder.frames_per_step:
            return (
                "`decoder.onnx` gives frames step by step: `frame` [batch, bands], the last one, "
                "zeros at the start, `lengths` and what `model.onnx` gave make `frames` [batch, "
                f"{about.signature.decoder.frames_per_step}, bands + 1], the log-odds that each is "
                "the last one behind its bands, and `next_0` and so on, which are `state_0` and so "
                "on of the step after it. Bands are in deviations of the training frames. An "
                "answer ends by the frame at which the chance that none before was the last has "
                "fallen below a half."
            )
        return (
            "`decoder.onnx` decodes a text token by token: `ids` [batch], the last token, 2 at the "
            f"start{kept} and what `model.onnx` gave make `logits` [batch, tokens] of the next "
            "one, and `next_0` and so on, which are `state_0` and so on of the step after it. "
            "Token 3 ends a text; 4 is the first of `target_vocabulary`."
        )
    if not about.signature.states:
        return ""
    start = "as `start` in bundle.json says" if about.signature.start else "as zeros"
    shares = "must be as long as the others'"
    if about.signature.ragged:
        shares = "may be shorter than the others', or empty with a length of 0"
    return (
        f"A stream goes on from piece to piece: `state_0` and so on start {start}, and `next_0` "
        f"and so on are what the next piece is given. A row's piece {shares}.\n\n{STREAM}"
    )


def _scores(scores: Sequence[Score]) -> str:
    head, known = ["metric", "validation", "test", "baseline"], any(s.interval for s in scores)
    if known:
        head.insert(2, "95 % interval of the mean over fresh seeds")
    rows = []
    for score in scores:
        row = [score.metric, *map(_number, (score.validation, score.test, score.baseline))]
        if known:
            ends = (
                f"{_number(score.interval[0])} … {_number(score.interval[1])}, {score.seeds}"
                if (score.interval)
                else "–"
            )
            row.insert(2, ends)
        rows.append(row)
    return table(head, rows) or "None were handed over."


def _proof(contents: Contents) -> Iterator[str]:
    """Every format against the trained network."""
    rows = [
        [
            name,
            exported.file,
            kib(exported.bytes),
            kib(exported.compressed),
            *(
                f"{_number(proof.export)} ({_number(proof.network)}), {proof.difference:.1e}, "
                f"{proof.rows} {proof.split} rows"
                for proof in exported.proofs[-1:]
            ),
            *(["not run"] if not exported.proofs else []),
            "–" if exported.lost is None else f"{exported.lost:.2%}",
            "; ".join(exported.notes) or "–",
        ]
        for name, exported in contents.formats.items()
    ]
    proofs = [exported.proofs[-1] for exported in contents.formats.values() if exported.proofs]
    metric = plain(proofs[0].metric) if proofs else "score"
    if not rows:
        return
    yield "## Formats"
    yield table(
        [
            "format",
            "file",
            "size",
            "compressed",
            f"{metric} (the trained network's), worst absolute difference, rows",
            "lost on validation data",
            "notes",
        ],
        rows,
    )
    limit = contents.max_loss
    yield (
        "Each was run beside the trained network before this folder appeared. An exact format "
        "that differed would have been an error"
        + ("." if limit is None else f", as would one that lost more than {limit:g} of the score.")
    )
    if contents.about.pruning is not None:
        yield f"Pruned by magnitude: {of_pruning(contents.about.pruning)}."


def _data(about: About) -> Iterator[str]:
    """Which files it was made of."""
    if about.data:
        yield "## Data"
        rows = ([d.name, d.split, str(d.bytes), d.sha256] for d in about.data)
        yield table(["file", "named for", "bytes", "SHA-256"], rows)
        counts = ", ".join(f"{num} for {split}" for split, num in about.sequences.items())
        yield f"Sequences: {counts}."


def _making(contents: Contents) -> Iterator[str]:
    """How it was made, and can be made again."""
    about = contents.about
    yield "## Making"
    if about.repeat:
        yield "With the libraries below, on the data above, these commands make it again:"
        yield "\n".join(f"    {command}" for command in about.repeat)
        seed = json.dumps(about.parameters.get("training/seed"))
        yield (
            f"SPEC stands under `spec` in bundle.json; the trial's own seed is {plain(seed)}. On a "
            "CPU the weights are the same to the last bit."
        )
    yield (
        f"The graph equals the trained network within {contents.difference:.1e} on "
        f"{contents.batches} batches of sizes and lengths it was not traced with."
    )
    yield table(["library", "version"], contents.made_with.items())


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"
