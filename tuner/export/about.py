"""What a bundle tells of its model: where it comes from, how good it is, what it cannot do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tuner.config import TrialConfig
from tuner.data.store import Store
from tuner.export.contents import About, DataUsed, Pruning, Score, Signature, TaskUsed
from tuner.export.wanted import MAX_LOSS, Wanted
from tuner.results.leaderboard import Row
from tuner.tasks._base import Task

if TYPE_CHECKING:
    from tuner.data.card import DataCard
    from tuner.sweep import Sweep

_PLACES = ("root", "tracking", "resources")
"""What a spec tells of the machines of whoever ran it, which leave with no model."""
_MOST = 20
"""Classes that are listed; more are counted."""


def about_of(
    sweep: Sweep,
    row: Row,
    task: Task,
    config: TrialConfig,
    store: Store,
    signature: Signature,
    wanted: Wanted,
    pruned: tuple[Pruning, Mapping[str, Mapping[str, float]]] | None,
) -> About:
    """Puts together what sweep, data and trial know."""
    options = {k: v for k, v in sweep.spec.task.items() if k != "name"}
    card = store.card
    return About(
        name=sweep.spec.name,
        trial=row.number,
        task=TaskUsed(name=sweep.spec.task["name"], options=options),
        parameters=config.to_values(),
        signature=signature,
        preprocessing=_as_json(
            {
                "layout": card.layout.to_json(),
                "facts": task.facts.to_json(),
                "inputs": config.data.model_dump(),
                "longest": card.lengths.maximum,
            }
        ),
        scores=_scores(sweep, row, pruned[1] if pruned else None),
        data=tuple(
            DataUsed(name=file.path, split=file.split, sha256=file.sha256, bytes=file.num_bytes)
            for file in card.files
        ),
        sequences=dict(card.num_sequences),
        limits=tuple(_limits(card, task, signature)),
        licence=wanted.licence,
        spec=_as_json({k: v for k, v in sweep.spec.to_data().items() if k not in _PLACES}),
        repeat=tuple(_repeat(sweep, row, wanted)),
        pruning=pruned[0] if pruned else None,
    )


def _scores(
    sweep: Sweep, row: Row, pruned: Mapping[str, Mapping[str, float]] | None
) -> tuple[Score, ...]:
    """All metrics as the sweep measured them, the ranking one with its interval over fresh seeds;
    of a network that is another now, its own."""
    interval = row.interval
    repeated: dict[str, Any] = {}
    if interval is not None:
        ends = (interval.low, interval.high)
        repeated = {"interval": ends, "seeds": len(interval.values)}
    baseline = next(iter(sweep.baselines().get("validation", {}).values()), {})
    test: Mapping[str, float] = sweep.finals().get(str(row.number), {})
    validation = row.metrics
    if pruned is not None:
        validation, test = pruned.get("validation", {}), pruned.get("test", {})
    return tuple(
        Score(
            metric=name,
            validation=value,
            test=test.get(name),
            baseline=baseline.get(name),
            **(repeated if name == sweep.spec.metric and pruned is None else {}),
        )
        for name, value in validation.items()
        if name in baseline
    )


def _limits(card: DataCard, task: Task, signature: Signature) -> list[str]:
    """A sentence for each thing that the training data did not hold."""
    lengths, labels, words = card.lengths, task.facts.labels, task.words()
    if task.most_frames:
        return [
            f"It knows {len(words)} tokens of the training texts, and nothing of how others sound: "
            "`tuner predict` refuses them, as it does texts that are far longer.",
            f"Its longest answer is one of {task.most_frames:,} frames; what has come to no end by "
            "then is cut off, and told.",
        ]
    found = []
    if not task.window:
        found.append(
            f"The longest sequence of the data had {lengths.maximum} steps, half had "
            f"{lengths.median:g} or fewer; nothing is known of longer ones."
        )
    if labels:
        listed = f": {', '.join(labels)}" if len(labels) <= _MOST else ""
        found.append(
            f"It knows {len(labels)} classes{listed}. Whatever it is given, it answers with these."
        )
    if words and card.kind == "history":
        found.append(
            f"It knows {len(words)} items of training rows, names no other, and reads any other as "
            f"one and the same unknown item; of those of other rows it knew all but "
            f"{len(card.unseen)}."
        )
    elif words:
        found.append(
            f"It knows {len(words)} tokens of the training texts and reads any other as one and "
            f"the same unknown token; of the tokens of other splits it knew all but "
            f"{len(card.unseen)}. Texts in other languages are unknown tokens."
        )
    if task.facts.features:
        listed = f": {', '.join(task.facts.features)}" if len(task.facts.features) <= _MOST else ""
        found.append(
            f"It reads {len(task.facts.features)} features{listed}. Values outside what training "
            "rows held are extrapolated."
        )
    if side := [*task.facts.static, *["a picture"] * (task.facts.side_picture is not None)]:
        listed = f": {', '.join(side)}" if len(side) <= _MOST else ""
        found.append(
            f"It reads {len(side)} more beside each sequence{listed}. Without one of them it does "
            "not answer."
        )
    found.append(
        "`tuner predict` refuses files with other columns, text in the place of numbers, infinite "
        "numbers and, unless `data/missing` says what to do, missing values."
    )
    if signature.ragged:
        found.append("What it says of a stream before its first step means nothing.")
    return found


def _repeat(sweep: Sweep, row: Row, wanted: Wanted) -> list[str]:
    name = sweep.spec.name
    flags = [f"--format {name}" for name in wanted.formats]
    flags += ["--streaming"] * wanted.streaming
    flags += [f"--prune {wanted.prune:g}"] if wanted.prune else []
    flags += [f"--max-loss {wanted.max_loss:g}"] if wanted.max_loss != MAX_LOSS else []
    export = ["tuner export", name, f"--trial {row.number}", "--to DIR", *flags]
    return [f"tuner sweep SPEC --name {name}", " ".join(export)]


def _as_json(data: dict[str, Any]) -> dict[str, Any]:
    """Lists for tuples, as they will be read back."""
    plain: dict[str, Any] = json.loads(json.dumps(data))
    return plain
