"""What a command line replaces in a spec: `--set PATH=VALUE` and the like."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tuner import document
from tuner.data.config import DataConfig
from tuner.document import Document
from tuner.errors import Mistake
from tuner.part import Config
from tuner.search.config import SearchConfig
from tuner.spec_file import ResourcesConfig, TrackingConfig

SECTIONS: dict[str, type[Config]] = {
    "data": DataConfig,
    "search": SearchConfig,
    "resources": ResourcesConfig,
    "tracking": TrackingConfig,
}
"""Sections of a spec with keys of their own; any other path is one of the space."""


def apply(read: Document, settings: Iterable[str]) -> list[Mistake]:
    """Puts `--set` values into the document; gives those that cannot be understood."""
    mistakes = []
    for setting in settings:
        path, equals, text = setting.partition("=")
        section, *keys = path.split("/")
        if not equals or not all(keys) or not keys:
            mistakes.append(
                Mistake(
                    code="command/set",
                    rule="--set must be PATH=VALUE",
                    where="--set",
                    got=repr(setting),
                    fix="Write such as --set model/hidden_size=64 or --set search/seed=1.",
                )
            )
            continue
        value = document.parse(text, "--set").data if text.strip() else ""
        known = SECTIONS.get(section)
        if known is not None and keys[0] in known.model_fields:
            put(read, (section, *keys), value, "--set")
        else:
            put(read, ("override", path), value, "--set")
    return mistakes


def put(read: Document, place: tuple[str, ...], value: Any, origin: str) -> None:
    """Replaces one value, whose place is told by `origin` from now on."""
    inner = read.data
    for key in place[:-1]:
        if not isinstance(inner.get(key), dict):
            inner[key] = {}
        inner = inner[key]
    inner[place[-1]] = value
    read.replaced[place] = origin
