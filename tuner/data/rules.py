"""What of section `data:` does not go with the kind of task."""

from __future__ import annotations

from tuner.data.card import TaskData
from tuner.data.config import DataConfig, Origins
from tuner.data.layout import Layout
from tuner.errors import Mistake


def check(config: DataConfig, task: TaskData, layout: Layout, mistakes: list[Mistake]) -> None:
    """Refuses what lets a forecast see its future, covariates of sequences, numbers of texts."""
    if config.picture is not None:
        _check_pictures(config, task, mistakes)
    if task.kind == "series":
        if config.missing == "interpolate":
            mistakes.append(
                Mistake(
                    code="data/looks-ahead",
                    rule="`data/missing` of a forecast must not look ahead",
                    where="data/missing",
                    got="'interpolate', which draws a line to the next value",
                    fix="Set `missing: forward`, which holds the last value.",
                )
            )
        if config.missing == "drop":
            mistakes.append(
                Mistake(
                    code="data/drops-steps",
                    rule="the rows of a series must stay, so that a horizon counts equal steps",
                    where="data/missing",
                    got="'drop'",
                    fix="Set `missing: forward`, `mean` or `zero`; a missing target is not scored.",
                )
            )
        return
    if isinstance(config.validation, Origins):
        mistakes.append(
            Mistake(
                code="data/origins",
                rule="`data/validation` of labelled sequences must not be origins",
                where="data/validation",
                got=f"{config.validation.origins} origins",
                fix="Give {folds: 5}: whole sequences have no order in time.",
            )
        )
    for key, value in (("known", config.known), ("static", config.static)):
        if value:
            mistakes.append(
                Mistake(
                    code="data/covariates",
                    rule=f"`data/{key}` must come with a forecast",
                    where=f"data/{key}",
                    got=f"{', '.join(value)} of labelled sequences",
                    fix="Leave it out: every feature is read at every step.",
                )
            )
    made = ("categories", "calendar", "rolling", "clip") if layout.text else ()
    for key in made:
        if getattr(config, key):
            mistakes.append(
                Mistake(
                    code="data/text",
                    rule=f"`data/{key}` must come with features, not with a text",
                    where=f"data/{key}",
                    got=f"the text column {layout.text!r}",
                    fix="Leave it out.",
                )
            )


def _check_pictures(config: DataConfig, task: TaskData, mistakes: list[Mistake]) -> None:
    """Refuses pictures as series, streams and tagged steps, and rows with inputs of their own."""
    if task.kind == "series" or task.target in ("tags", "none"):
        mistakes.append(
            Mistake(
                code="data/picture",
                rule="pictures must be learned as wholes, by a class, numbers or a text of each",
                where="data/picture",
                got="a task that does something else with them",
                fix="Take `task: captioning`, `classification` or `regression`.",
            )
        )
    keys = ("text", "features", "time", "categories", "calendar", "rolling", "max_length")
    for key in keys:
        if getattr(config, key):
            mistakes.append(
                Mistake(
                    code="data/picture",
                    rule=f"`data/{key}` must be left out where pictures are read: their pixels are "
                    "the inputs",
                    where=f"data/{key}",
                    got=repr(getattr(config, key)),
                    fix="Leave it out.",
                )
            )
