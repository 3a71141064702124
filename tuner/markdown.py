"""Tables in markdown, of names and values that come from users' files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A table whose cells are escaped, its head not; nothing without rows."""
    lines = ["| " + " | ".join(map(plain, row)) + " |" for row in rows]
    return "\n".join(
        ["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *lines] * bool(lines)
    )


def plain(text: str) -> str:
    """One line that no renderer takes for markup."""
    return re.sub(r"([\\`*{}\[\]()<>#!|~&])", r"\\\1", " ".join(text.split()))
