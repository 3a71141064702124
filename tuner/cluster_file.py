"""Reads a cluster file and says its mistakes like those of a spec: all at once, with their lines.

A module of its own because `cluster` knows no errors and no documents of ours.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from cluster.refused import Refused
from cluster.spec import ClusterFile, ClusterSpec, Embedded, ExistingRay
from tuner import document
from tuner.document import Document
from tuner.errors import ClusterError, Mistake, SpecError
from tuner.refused_values import refusals_of


def load(path: Path) -> ClusterSpec:
    """The cluster that a file names.

    Raises:
        ClusterError: every mistake of the file.
    """
    try:
        read = document.read(path)
    except SpecError as unread:
        raise ClusterError([_of_clusters(mistake) for mistake in unread.mistakes]) from None
    try:
        config = ClusterFile.config(read.data)
    except ValidationError as invalid:
        raise ClusterError(_located(invalid, read, ClusterFile)) from None
    try:
        return config.model_validate(read.data, context={"folder": path.parent})
    except ValidationError as invalid:
        raise ClusterError(_located(invalid, read, config)) from None


def from_environment() -> ClusterSpec:
    """The Ray at RAY_ADDRESS, as elsewhere; this machine if it is not set.

    Raises:
        ClusterError: it is no address.
    """
    address = os.environ.get("RAY_ADDRESS", "local")
    if address == "local":
        return Embedded()
    try:
        return ExistingRay(address=address)
    except ValidationError as invalid:
        read = Document("RAY_ADDRESS", None)
        raise ClusterError(_located(invalid, read, ExistingRay)) from None


def told(refused: Refused) -> Mistake:
    """What `cluster` refuses, as a mistake of ours."""
    return Mistake(
        code=refused.code,
        rule=refused.rule,
        where=refused.where,
        got=refused.got,
        fix=refused.fix,
    )


def _located(
    invalid: ValidationError, read: Document, config: type[ClusterSpec] | type[ClusterFile]
) -> list[Mistake]:
    return [
        Mistake(
            code=refusal.code.replace("spec/", "cluster/"),
            rule=refusal.rule if refusal.path else refusal.rule.replace("`` ", ""),
            where=read.where(error["loc"]),
            got=refusal.got,
            fix=refusal.fix,
        )
        for error, refusal in zip(invalid.errors(), refusals_of(invalid, "", config), strict=True)
    ]


def _of_clusters(mistake: Mistake) -> Mistake:
    """A document's mistake in words for this kind of file."""
    rule = mistake.rule.replace("a spec must", "a cluster file must")
    fix = mistake.fix.partition("; `examples/`")[0].rstrip(".") + "."
    if mistake.code == "spec/empty":
        rule, fix = (
            "a cluster file must name its `kind`",
            f"Name one: {', '.join(ClusterFile.KINDS)}.",
        )
    code = mistake.code.replace("spec/", "cluster/")
    return replace(mistake, code=code, rule=rule, fix=fix)
