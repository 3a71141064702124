"""What of section `data:` does not go with the kind of task."""

from __future__ import annotations

from collections.abc import Sequence

from tuner.data.card import TaskData
from tuner.data.config import DataConfig, Folds, Last, Origins
from tuner.data.layout import Layout
from tuner.errors import Mistake


def check(config: DataConfig, task: TaskData, layout: Layout, mistakes: list[Mistake]) -> None:
    """Refuses what lets a forecast see its future, covariates of sequences, numbers of texts."""
    given = [key for key in ("picture", "frames", "audio") if getattr(config, key) is not None]
    if len(given) > 1:
        mistakes.append(
            Mistake(
                code="data/inputs",
                rule="a model must read one of `data/picture`, `data/frames` and `data/audio`",
                where=f"data/{given[1]}",
                got=" and ".join(given),
                fix="Leave the others out.",
            )
        )
    if layout.picture is not None:
        read = ("pictures", "pixels")
        mistakes += _check_named("picture", read, ("time", "max_length"), config, task)
    if config.frames is not None:
        # A clip is read frame by frame: each may have a tag, and a time that orders it.
        mistakes += _check_named("frames", ("clips", "frames"), (), config, task)
    if layout.audio is not None:
        mistakes += _check_named("audio", ("recordings", "frames"), ("time",), config, task)
    if task.target == "frames" and layout.text is not None:
        mistakes.append(
            Mistake(
                code="data/frames",
                rule="what is given for a text must be frames of numbers: `data/text` must be left "
                "out",
                where="data/text",
                got=repr(layout.text),
                fix="Name the column of the texts as `data/target`.",
            )
        )
    if task.kind == "history":
        _check_history(config, mistakes)
        return
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
    for name, rule in (("validation", config.validation), ("test", config.test)):
        if isinstance(rule, Last):
            mistakes.append(
                Mistake(
                    code="data/last",
                    rule=f"`data/{name}` of whole sequences must not be the last rows of each",
                    where=f"data/{name}",
                    got=f"the last {rule.last}",
                    fix="Give files, or a share of the sequences such as 0.2.",
                )
            )
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
    if config.known:
        mistakes.append(
            Mistake(
                code="data/covariates",
                rule="`data/known` must come with a forecast",
                where="data/known",
                got=f"{', '.join(config.known)} of labelled sequences",
                fix="Leave it out: every feature is read at every step.",
            )
        )
    if config.static and not task.sided:
        mistakes.append(
            Mistake(
                code="data/covariates",
                rule="`data/static` must come with a forecast, or with sequences that one network "
                "reads as wholes",
                where="data/static",
                got=f"{', '.join(config.static)}, of a task that does something else with them",
                fix="Leave it out, or take such as `task: classification` or `regression`.",
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


def _check_named(
    key: str, contents: tuple[str, str], others: Sequence[str], config: DataConfig, task: TaskData
) -> list[Mistake]:
    """Refuses rows that name files as series, streams or tagged steps, or with other inputs.

    Args:
        key: of section `data`, which tells how the files are read.
        contents: what the files are, and what of them is read.
        others: other keys that do not go with it.
    """
    files, read = contents
    mistakes = []
    by_frame = " or a tag of each frame" if key == "frames" else ""
    tagged = task.target == "tags" and not by_frame
    aligned = key == "picture" and task.aligned
    if task.kind == "series" or task.target == "none" or tagged or aligned:
        mistakes.append(
            Mistake(
                code=f"data/{key}",
                rule=f"{files} must be learned as wholes, by a class, numbers or a text of each"
                f"{by_frame}",
                where=f"data/{key}",
                got="a task that does something else with them",
                fix="Take such as `task: classification`, `regression`, `ctc`, `synthesis` or "
                "`captioning`.",
            )
        )
    for other in ("text", "features", "categories", "calendar", "rolling", *others):
        if getattr(config, other):
            mistakes.append(
                Mistake(
                    code=f"data/{key}",
                    rule=f"`data/{other}` must be left out where {files} are read: their {read} "
                    "are the inputs",
                    where=f"data/{other}",
                    got=repr(getattr(config, other)),
                    fix="Leave it out.",
                )
            )
    return mistakes


_OTHERS = ("text", "features", "categories", "calendar", "rolling", "clip", "known", "static")


def _check_history(config: DataConfig, mistakes: list[Mistake]) -> None:
    """Of a history its items alone are read, and its end is what is scored."""
    for key in _OTHERS:
        if value := getattr(config, key):
            mistakes.append(
                Mistake(
                    code="data/history",
                    rule=f"`data/{key}` must be left out of histories, of which items are read",
                    where=f"data/{key}",
                    got=repr(value),
                    fix="Leave it out; name the column of items as `data/target`.",
                )
            )
    match config.validation:
        case Folds(folds=number):
            got = f"{number} folds"
        case Origins(origins=number):
            got = f"{number} origins"
        case _:
            return
    mistakes.append(
        Mistake(
            code="data/folds",
            rule="`data/validation` of histories must be their last rows, a share or a span",
            where="data/validation",
            got=got,
            fix="Give {last: 1}, a share such as 0.1 for the end of each, or {after: TIME}.",
        )
    )
