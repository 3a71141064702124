"""Why values cannot stand in a trial, in our words: a rule, the value received, and a way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from pydantic import BaseModel, ValidationError

from tuner import registry


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why one value cannot stand in a trial."""

    code: str
    path: str
    rule: str
    got: str
    fix: str


class ValuesRefused(ValueError):
    """All refusals of one set of values."""

    def __init__(self, refusals: list[Refusal]) -> None:
        self.refusals = refusals
        super().__init__("; ".join(f"{r.rule}, got {r.got}" for r in refusals))


def refusals_of(invalid: ValidationError, prefix: str, config: type[BaseModel]) -> list[Refusal]:
    """Pydantic's errors in our words: a rule, the value received, and a way out."""
    found = []
    for error in invalid.errors():
        where = "/".join(str(step) for step in error["loc"])
        path = f"{prefix}{where}"
        if error["type"] == "extra_forbidden":
            found.append(unknown(path, list(_fields(config, prefix))))
            continue
        if error["type"] == "missing":
            found.append(
                Refusal(
                    code="spec/missing-key",
                    path=path,
                    rule=f"`{path}` must be given",
                    got="nothing",
                    fix="Add it.",
                )
            )
            continue
        rule = error["msg"].replace("Input should be", "must be").removeprefix("Value error, ")
        if error["type"] == "path_type":
            rule = "must be a path"
        elif not rule.startswith("must"):
            rule = f"must be valid ({rule})"
        found.append(
            Refusal(
                code=f"spec/{'type' if error['type'].endswith('_type') else 'value'}",
                path=path,
                rule=f"`{path}` {rule}",
                got=repr(error["input"]),
                fix=_explained(config, str(error["loc"][0]) if error["loc"] else ""),
            )
        )
    return found


def _fields(config: type[BaseModel], prefix: str) -> Iterator[str]:
    """The paths of a configuration's fields, those of configurations inside it included."""
    for name, info in config.model_fields.items():
        yield f"{prefix}{name}"
        for kind in (info.annotation, *get_args(info.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _fields(kind, f"{prefix}{name}/")


def _explained(config: type[BaseModel], field: str) -> str:
    info = config.model_fields.get(field)
    text = " ".join((info.description or "").split()) if info else ""
    return f"Change it. It means: {text}" if text else "Change it, or leave it out."


def unknown(path: str, known: list[str]) -> Refusal:
    close = difflib.get_close_matches(path, known, n=1, cutoff=0.6)
    prefix = path.rpartition("/")[0]
    beside = [k for k in known if k.rpartition("/")[0] == prefix] or known
    fix = f"Did you mean `{close[0]}`?" if close else f"Known here: {', '.join(beside)}."
    return Refusal(
        code="spec/unknown-key",
        path=path,
        rule=f"`{path}` must be something that is known here",
        got=repr(path.rpartition("/")[2]),
        fix=fix,
    )


def unknown_part(path: str, unknown: registry.UnknownPart) -> Refusal:
    near = f"Did you mean `{unknown.nearest}`? " if unknown.nearest else ""
    return Refusal(
        code="spec/unknown-part",
        path=path,
        rule=f"`{path}` must be a known part or an import path",
        got=repr(unknown.name),
        fix=f"{near}Known: {', '.join(unknown.known)}.",
    )


def bound(path: str, rule: str, got: str, fix: str) -> Refusal:
    """A value that others of the same trial forbid."""
    return Refusal(code="spec/value", path=path, rule=f"`{path}` {rule}", got=got, fix=fix)
