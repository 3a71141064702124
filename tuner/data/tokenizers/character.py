"""Single characters, white space among them."""

from __future__ import annotations

from collections.abc import Sequence


def split(text: str, learned: str) -> list[str]:
    """Each Unicode character."""
    return list(text)


def join(tokens: Sequence[str]) -> str:
    """The text itself."""
    return "".join(tokens)
