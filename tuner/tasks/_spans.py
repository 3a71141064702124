"""Spans of tags: BIO as read, BIOES as learned if asked, and spans as the field counts them.

A span begins at B- or S-, and where a type begins that does not go on from the step before; it ends
before the next beginning, an O, or another type, and at E-: the rules of conlleval, as in seqeval.
"""

from __future__ import annotations

from collections.abc import Sequence

Span = tuple[str, int, int]
"""Type, first step, and the step after the last."""

OUTSIDE = "O"
MARKS = ("B-", "I-", "E-", "S-")


def parted(tag: str) -> tuple[str, str]:
    """Prefix and type of a tag: `B-person` → `B`, `person`; without a prefix O stands outside."""
    if tag == OUTSIDE:
        return OUTSIDE, ""
    prefix, dash, kind = tag.partition("-")
    return (prefix, kind) if prefix + dash in MARKS else ("I", tag)


def spans(tags: Sequence[str]) -> list[Span]:
    """All spans of one sequence, in order."""
    found: list[Span] = []
    kind, start = "", -1
    before = OUTSIDE
    for step, tag in enumerate([*tags, OUTSIDE]):
        prefix, now = parted(tag)
        goes_on = start >= 0 and now == kind and prefix in "IE" and before not in "ES"
        if start >= 0 and not goes_on:
            found.append((kind, start, step))
            start = -1
        if prefix != OUTSIDE and start < 0:
            kind, start = now, step
        before = prefix
    return found


def to_bioes(tags: Sequence[str]) -> list[str]:
    """The same spans with their ends and singles marked (Ratinov and Roth, 2009)."""
    result = [OUTSIDE] * len(tags)
    for kind, start, end in spans(tags):
        if end - start == 1:
            result[start] = f"S-{kind}"
            continue
        result[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 2), f"E-{kind}"]
    return result


def to_bio(tags: Sequence[str]) -> list[str]:
    """The same spans with their beginnings marked only."""
    result = [OUTSIDE] * len(tags)
    for kind, start, end in spans(tags):
        result[start:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - start - 1)]
    return result


def may_follow(before: str, after: str) -> bool:
    """Whether a tag may come after another, in BIO or BIOES; `before` is O at the start."""
    prefix, kind = parted(after)
    ends, kind_before = parted(before)
    inside = ends in "BI"
    if prefix in "IE":
        return inside and kind == kind_before
    return True
