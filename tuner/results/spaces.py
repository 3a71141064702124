"""Prints the ready-made spaces."""

from __future__ import annotations

import difflib

import yaml

import search_spaces
from tuner.errors import CommandError, Mistake


def describe_all() -> str:
    """A line per space."""
    names = search_spaces.names()
    width = max(map(len, names))
    lines = [f"{name:<{width}}  {search_spaces.load(name).about}" for name in names]
    return "\n".join([*lines, "", "`tuner spaces NAME` prints one in full."])


def describe_one(name: str) -> str:
    """A space as YAML, parts filled in: a spec may hold it as it stands.

    Raises:
        CommandError: there is none of this name.
    """
    names = search_spaces.names()
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        near = f"Did you mean {close[0]!r}? " if close else ""
        raise CommandError(
            Mistake(
                code="space/unknown",
                rule="NAME must be a ready-made space",
                where="the command line",
                got=repr(name),
                fix=f"{near}There are: {', '.join(names)}.",
            )
        )
    data = search_spaces.load(name).to_data()
    text: str = yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=100)
    return text.rstrip()
