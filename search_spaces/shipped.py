"""The ready-made spaces beside this file."""

from __future__ import annotations

import difflib
import re
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import yaml

from search_spaces.problems import SpaceError, SpaceErrors
from search_spaces.schema import Space

_FLOAT = re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+)$")


class _Loader(yaml.SafeLoader):
    """Reads numbers and truth values as YAML 1.2 does: `1e-3` is a number, `no` is text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}


for _tag, _pattern, _first in (
    ("bool", re.compile(r"^(?:true|false)$"), "tf"),
    ("int", re.compile(r"^[-+]?[0-9]+$"), "-+0123456789"),
    ("float", _FLOAT, "-+0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, list(_first))


@cache
def names() -> list[str]:
    """Names of all ready-made spaces and parts, such as `classification` and `parts/cells`."""
    return sorted(_found(files("search_spaces"), ""))


@cache
def load(name: str) -> Space:
    """One ready-made space.

    Raises:
        SpaceErrors: no space has this name.
    """
    if name not in names():
        close = difflib.get_close_matches(name, names(), n=1)
        raise SpaceErrors(
            [
                SpaceError(
                    code="space/unknown-space",
                    rule=f"a space must be one of {', '.join(names())}",
                    got=f"`{name}`",
                    fix=f"Did you mean `{close[0]}`?" if close else "Name one of them.",
                )
            ]
        )
    text = files("search_spaces").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return Space.parse(_Loader(text).get_single_data(), load)


def _found(folder: Traversable, prefix: str) -> list[str]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _found(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".yaml"):
            found.append(prefix + entry.name.removesuffix(".yaml"))
    return found
