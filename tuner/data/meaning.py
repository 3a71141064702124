"""What each column of raw files means: what a spec says of it, and what it leaves to the files."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tuner import registry
from tuner.data import columns, deriving
from tuner.data.audio import Audio
from tuner.data.card import TaskData
from tuner.data.config import DataConfig
from tuner.data.derived import Derived
from tuner.data.extensions import fixed_columns
from tuner.data.files import join_some
from tuner.data.layout import GIVEN, Layout
from tuner.data.picture import Picture
from tuner.data.table import RawTable
from tuner.errors import DataError, Mistake


def first_layout(
    config: DataConfig, task: TaskData, paths: Sequence[Path], mistakes: list[Mistake]
) -> Layout:
    """What a spec says of the columns; a format with fixed columns says the rest.

    In place of what is told as a mistake stands what a spec may leave out, so that the rest is
    checked, too.

    Raises:
        DataError: several label columns are named.
    """
    format = _format(config.format, mistakes)
    fixed = fixed_columns(format, paths)
    is_labelled = task.kind == "sequence" and task.target != "none"
    target = config.target
    names = [target] if isinstance(target, str) else target
    is_text, is_next = task.target in ("tokens", "frames"), task.target == "next"
    has_numbers = task.target in ("number", "numbers")
    is_class = is_labelled and not is_text and not has_numbers
    if (is_class or is_text or is_next) and names and len(names) > 1:
        # Whatever follows would be told of the wrong column.
        raise DataError(
            [
                *mistakes,
                Mistake(
                    code="data/target",
                    rule=f"`data/target` of {'histories' if is_next else 'labelled sequences'} "
                    "must be one column",
                    where="data/target",
                    got=join_some(map(repr, names)),
                    fix=f"Name the column with the {'item' if is_next else 'label'}.",
                ),
            ]
        )
    one = names[0] if names else fixed.get("label")
    audio = config.audio or (Audio(path=fixed["audio"]) if "audio" in fixed else None)
    picture = config.picture
    if picture is None and config.frames is None and "picture" in fixed:
        picture = Picture(path=fixed["picture"])
    grouped = task.kind == "sequence"
    text = config.text or fixed.get("text")
    if is_next:
        # What is read of a history is what is to be predicted of it.
        text = names[0] if names else fixed.get("text")
    if config.group and not grouped:
        mistakes.append(
            Mistake(
                code="data/group",
                rule="`data/group` must come with whole sequences, not with series cut by time",
                where="data/group",
                got=repr(config.group),
                fix="Leave it out.",
            )
        )
    side_picture = None
    if task.sided and config.picture is not None and (config.text or config.features):
        picture, side_picture = None, config.picture
    named = audio or picture or config.frames
    return Layout(
        format=format,
        id=config.id or fixed.get("id") or (named.path if named else None),
        time=_listed(config.time),
        label=one if is_class else None,
        target=task.target,
        targets=tuple(names or _named(fixed, "target")) if has_numbers else (),
        target_text=one if is_text else None,
        target_tokens=_target_tokens(config, task, mistakes),
        target_max_length=config.target_max_length,
        group=config.group if grouped else None,
        text=None if task.kind == "series" else text,
        tokens=_tokens(config, task, mistakes),
        lowercase=config.lowercase,
        features=tuple(config.features) if config.features else None,
        channels=tuple(names) if names and task.kind == "series" else None,
        picture=picture,
        frames=config.frames,
        side_picture=side_picture,
        static=tuple(config.static or ()) if task.sided else (),
        audio=audio,
        missing=config.missing,
        derived=_derived(config, task),
        sort=config.sort,
        max_length=config.max_length,
        truncate=config.truncate,
        delimiter=config.delimiter,
        encoding=config.encoding,
    )


def _format(name: str | None, mistakes: list[Mistake]) -> str | None:
    """The format that a spec names; None without one, or with the mistake told."""
    if name is None:
        return None
    try:
        registry.get("formats", name)
    except registry.UnknownPart as unknown:
        near = f"Did you mean {unknown.nearest!r}? " if unknown.nearest else ""
        mistakes.append(
            Mistake(
                code="data/format",
                rule="`data/format` must be a known format",
                where="data/format",
                got=repr(name),
                fix=f"{near}Known: {', '.join(registry.names('formats'))}.",
            )
        )
        return None
    return name


def _tokens(config: DataConfig, task: TaskData, mistakes: list[Mistake]) -> str:
    """How texts become tokens; as by default where a mistake is told."""
    by_row = task.target in ("tags", "next")
    usual = GIVEN if by_row else "word"
    name = config.tokens or usual
    known = [GIVEN, *registry.names("tokenizers")]
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        rule = "`data/tokens` must be a known tokenizer"
        fix = (f"Did you mean {close[0]!r}? " if close else "") + f"Known: {', '.join(known)}."
    elif by_row and name != GIVEN:
        has = "is an item" if task.target == "next" else "has a tag"
        rule = f"`data/tokens` must be `given` where each token {has}"
        fix = "Write one token per row, and leave `tokens` out."
    else:
        return name
    mistakes.append(
        Mistake(code="data/tokens", rule=rule, where="data/tokens", got=repr(name), fix=fix)
    )
    return usual


def _target_tokens(config: DataConfig, task: TaskData, mistakes: list[Mistake]) -> str:
    """How target texts become tokens; as by default where a mistake is told."""
    keys = ("target_tokens", "target_vocabulary", "target_max_length")
    given = [key for key in keys if getattr(config, key) is not None]
    given += ["target_min_count"] if config.target_min_count > 1 else []
    if task.target not in ("tokens", "frames"):
        mistakes += [
            Mistake(
                code="data/target-tokens",
                rule=f"`data/{key}` must come with a task whose targets are texts",
                where=f"data/{key}",
                got=repr(getattr(config, key)),
                fix="Leave it out.",
            )
            for key in given
        ]
        return task.target_tokens
    name, known = config.target_tokens or task.target_tokens, registry.names("tokenizers")
    if name in known:
        return name
    close = difflib.get_close_matches(name, known, n=1)
    mistakes.append(
        Mistake(
            code="data/target-tokens",
            rule="`data/target_tokens` must be a known tokenizer",
            where="data/target_tokens",
            got=repr(name),
            fix=(f"Did you mean {close[0]!r}? " if close else "") + f"Known: {', '.join(known)}.",
        )
    )
    return task.target_tokens


def _listed(names: str | list[str] | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names or ())


def _named(fixed: dict[str, str], key: str) -> list[str]:
    return [fixed[key]] if key in fixed else []


def _derived(config: DataConfig, task: TaskData) -> Derived:
    """What a spec says of channels that are made; the values of categories are named later."""
    rolling = config.rolling
    return Derived(
        categories=tuple((name, ()) for name in config.categories or ()),
        calendar=tuple(config.calendar or ()),
        rolling=tuple((s, w) for w in rolling.windows for s in rolling.statistics)
        if rolling
        else (),
        known=tuple(config.known or ()),
        static=() if task.sided else tuple(config.static or ()),
    )


def resolved(
    layout: Layout,
    task: TaskData,
    tables: Sequence[RawTable],
    mistakes: list[Mistake],
    warnings: list[str],
) -> Layout | None:
    """A layout with every column named; None, with the mistakes told, if columns are absent."""
    first = tables[0]
    names = first.columns.column_names
    rows_are_texts = layout.text is not None and layout.tokens != GIVEN
    one = layout.label or layout.target_text
    channels = layout.channels or ()
    text = [layout.text] if layout.text else []
    if task.target == "next":
        answers, text = text, []
    else:
        answers = [one] if one else [*layout.targets, *channels]
    wanted = {
        "data/text": text,
        "data/id": [layout.id] if layout.id else [],
        "data/time": list(layout.time),
        "data/target": answers,
        "data/group": [layout.group] if layout.group else [],
        "data/features": list(layout.features or ()),
        "data/categories": list(layout.derived.columns),
        "data/known": list(layout.derived.known),
        "data/static": [*layout.derived.static, *layout.static],
        "data/picture/path": [layout.side_picture.path] if layout.side_picture else [],
    }
    before = len(mistakes)
    needs: dict[str, str | None] = {}
    if task.kind == "sequence":
        target = one or next(iter(layout.targets), None)
        needs = {"data/target": target} if task.target != "none" else {}
        needs |= {} if rows_are_texts else {"data/id": layout.id}
        needs |= {"data/text": layout.text} if task.target == "none" else {}
    elif task.kind == "history":
        needs = {"data/id": layout.id, "data/target": layout.text}
    for key, value in needs.items():
        if value is None:
            mistakes.append(_absent(f"the column `{key}`", first, "no name for it", names))
    if layout.text and layout.features and task.kind != "history":
        mistakes.append(
            Mistake(
                code="data/text",
                rule="a model must read `data/text` or `data/features`, not both",
                where="data/features",
                got=f"the text column {layout.text!r} and {len(layout.features)} features",
                fix="Leave one of the two out.",
            )
        )
    for key, needed in wanted.items():
        for name in needed:
            if name not in names:
                mistakes.append(_absent(f"the column `{key}`", first, f"no column {name!r}", names))
    meaning = {layout.id, *layout.time, one, layout.group, *layout.targets}
    meaning |= {*layout.derived.columns}
    if other := [n for n in layout.static if n in {*meaning, *text}]:
        mistakes.append(
            Mistake(
                code="data/static",
                rule="`data/static` of sequences must be number columns without another meaning",
                where="data/static",
                got=join_some(map(repr, other)),
                fix="Leave them out: the target is what is to be found, and `data/categories` are "
                "read at each step.",
            )
        )
    meaning |= {*layout.static}
    features = layout.features or tuple(
        n for n in names if n not in meaning and columns.is_numeric(first, n)
    )
    if layout.text:
        features = ()
    elif layout.features is None and (unread := set(names) - meaning - set(features)):
        warnings.append(
            f"columns without numbers are left out: {join_some(sorted(unread))} [data/left-out]"
        )
    if overlap := [n for n in features if n in meaning]:
        mistakes.append(
            Mistake(
                code="data/target-feature",
                rule="`data/features` must not hold the id, the time, the group, the target, a "
                "category or what `data/static` says of whole sequences",
                where="data/features",
                got=join_some(overlap),
                fix="Leave them out.",
            )
        )
    if not features and not layout.text:
        mistakes.append(
            Mistake(
                code="data/no-features",
                rule="a data file must have a numeric column besides id, time and label",
                where=first.name,
                got=f"the columns {join_some(names, 12)}",
                fix="Name the inputs as `data/features`.",
            )
        )
    if strangers := [n for n in channels if n not in features and n in names]:
        mistakes.append(
            Mistake(
                code="data/target-feature",
                rule="a channel to forecast must be among `data/features`",
                where="data/target",
                got=join_some(strangers),
                fix="Add it to the features: a forecast sees the channel's own past.",
            )
        )
    measured = tuple(layout.derived.measured(features))
    forecast = layout.channels or (measured if task.kind == "series" else None)
    found = replace(layout, features=features, channels=forecast)
    for table in tables[1:]:
        _refuse_other_columns(found, first, table, mistakes)
    if len(mistakes) == before:
        found = deriving.resolved(found, tables, mistakes)
    return found if len(mistakes) == before else None


def _refuse_other_columns(
    layout: Layout, first: RawTable, table: RawTable, mistakes: list[Mistake]
) -> None:
    needed = [*layout.columns, *layout.targets]
    needed += [name for name in (layout.label, layout.target_text, layout.group) if name]
    names = {*table.columns.column_names}
    absent = [n for n in needed if n not in names]
    if absent:
        mistakes.append(
            Mistake(
                code="data/columns-differ",
                rule=f"all files must have the columns of {first.name}",
                where=table.name,
                got=f"none called {join_some(map(repr, absent))}",
                fix="Write the files with the same columns.",
            )
        )


def absent(table: RawTable, name: str, names: Sequence[str]) -> Mistake:
    """A column that a file should have."""
    return _absent("a column of the training files", table, f"no column {name!r}", names)


def _absent(what: str, table: RawTable, got: str, names: Sequence[str]) -> Mistake:
    return Mistake(
        code="data/absent-column",
        rule=f"{what} must be there",
        where=table.name,
        got=got,
        fix=f"The columns are {join_some(map(repr, names), 12)}.",
    )
