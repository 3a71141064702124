"""What white space separates: texts that were cut into tokens before, or sequences of notes."""

from __future__ import annotations

from collections.abc import Sequence


def split(text: str, learned: str) -> list[str]:
    """Each run of other characters."""
    return text.split()


def join(tokens: Sequence[str]) -> str:
    """Tokens apart."""
    return " ".join(tokens)
