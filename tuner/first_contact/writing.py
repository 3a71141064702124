"""The spec as text, tried before it is written."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tuner import registry
from tuner.data.files import shown
from tuner.errors import DataError, Mistake
from tuner.first_contact.draft import Draft
from tuner.first_contact.finding import Found

_COMMENT = 34
"""Column from which comments stand, where a line leaves room."""
_LONG = 100
_MENDS: dict[str, tuple[str, Any, str]] = {
    "data/unsorted": ("sort", True, "some rows are earlier than the row before"),
    "data/missing-value": ("missing", "forward", "some values are missing; or `mean`, `zero`"),
    "data/missing-target": ("missing", "forward", "some targets are missing, and not scored"),
}
"""Code of a refusal → key, value and comment that answer it."""
_COUNTS = re.compile(r"([\d,]+) of ([\d,]+)")
_FEW_COPIES = 0.05
"""Share of copies up to which a published split is taken as it is."""


def tried(draft: Draft, found: Found, name: str, folder: Path) -> tuple[str, tuple[str, ...]]:
    """The text of a spec that loads and whose data can be prepared, and what preparation noted.

    Raises:
        InputError: no line of a spec can mend what is wrong with the data.
    """
    from tuner.data.prepare import prepare
    from tuner.spec_reader import load

    while True:
        text = written(draft, found, name, folder)
        with tempfile.TemporaryDirectory(prefix="tuner-init-") as scratch:
            spec_path = Path(scratch) / "spec.yaml"
            spec_path.write_text(text, encoding="utf-8")
            spec = load(spec_path)
            module = registry.get("tasks", spec.task["name"])
            task = module.data(module.Config(**spec.task))
            try:
                card = prepare(spec.data, task, folder, Path(scratch) / "data", spec.search.seed)
            except DataError as refused:
                mends = [mend for m in refused.mistakes if (mend := _mend(m))]
                new = [mend for mend in mends if mend[0] not in draft.data]
                if len(mends) < len(refused.mistakes) or not new:
                    raise
                for key, value, _ in new:
                    whys = dict.fromkeys(why for name, _, why in new if name == key)
                    draft.say(key, value, "; ".join(whys))
                continue
        return text, card.warnings


def _mend(mistake: Mistake) -> tuple[str, Any, str] | None:
    """Key, value and comment that answer a refusal, if a line of the spec can."""
    if mistake.code != "data/shared-rows":
        return _MENDS.get(mistake.code)
    counts = _COUNTS.match(mistake.got)
    assert counts is not None, "counts in the refusal of copies"
    some, whole = (int(number.replace(",", "")) for number in counts.groups())
    if some > _FEW_COPIES * whole:
        return None
    said = f"of {mistake.where}, {counts[0]} equal sequences to learn from"
    return "duplicates", "warn", said


def written(draft: Draft, found: Found, name: str, folder: Path) -> str:
    """The spec's text.

    Args:
        folder: where the spec is to stand.
    """
    lines = [
        "# Written by `tuner init`: what it found, and what you may want to change.",
        "# `tuner check` shows the plan, `tuner sweep` runs it, `tuner spaces` what may vary.",
        f"name: {name}",
    ]
    task = {"name": draft.task, **draft.options} if draft.options else draft.task
    lines += [*_line("", "task", task, draft.options_why), "data:"]
    for split, path in found.paths.items():
        lines += _line("  ", split, _relative(path, folder), "")
    extra = {
        "format": (found.format, "the extension does not say so") if found.named else None,
        "encoding": (found.encoding, "the files are not UTF-8"),
        "delimiter": (found.delimiter, ""),
    }
    if found.encoding == "utf-8":
        extra["encoding"] = None
    if found.delimiter == ",":
        extra["delimiter"] = None
    section = {key: said for key, said in extra.items() if said} | draft.data
    for key, (value, why) in section.items():
        lines += _line("  ", key, value, why)
    if draft.override:
        lines.append("override:")
        for key, (value, why) in draft.override.items():
            lines += _line("  ", key, value, why)
    search = {"trials": 30, "seed": 0}
    lines += _line("", "search", search, "`hours: 1` ends it sooner, `metric:` ranks otherwise")
    return "\n".join(lines) + "\n"


def _line(indent: str, key: str, value: Any, why: str) -> list[str]:
    dumped = yaml.safe_dump(
        value, default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False
    )
    text = f"{indent}{key}: " + dumped.removesuffix("\n").removesuffix("\n...")
    if not why:
        return [text]
    why = " ".join(why.split())
    if len(text) + len(why) + 4 <= _LONG or len(text) < _COMMENT:
        return [f"{text:{_COMMENT - 1}} # {why}"]
    return [f"{indent}# {why}", text]


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path.resolve(), folder.resolve())


def name_of(data: Path) -> str:
    """A legal name of a sweep from that of a file or folder, its part (`_TRAIN`) left out."""
    stem = data.resolve().name if data.is_dir() else data.name.partition(".")[0]
    bare = re.sub(r"[_.-]?train(?:ing)?$", "", stem, flags=re.IGNORECASE)
    legal = re.sub(r"[^A-Za-z0-9._-]+", "_", bare or stem).strip("._-")
    return legal[:128] or "data"


def write(text: str, to: Path) -> str:
    """Writes a spec that is not there yet; gives its path as messages show it."""
    with to.open("x", encoding="utf-8") as file:
        file.write(text)
    return shown(to)
