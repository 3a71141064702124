"""Words, numbers and punctuation marks."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TOKEN = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")
_NO_SPACE_BEFORE = re.compile(r"\s+([.,;:!?)\]}%])")
_NO_SPACE_AFTER = re.compile(r"([(\[{])\s+")


def split(text: str, learned: str) -> list[str]:
    """Each run of letters and digits, with apostrophes inside, and each other mark by itself."""
    return _TOKEN.findall(text)


def join(tokens: Sequence[str]) -> str:
    """Words apart, marks where they usually stand."""
    return _NO_SPACE_AFTER.sub(r"\1", _NO_SPACE_BEFORE.sub(r"\1", " ".join(tokens)))
