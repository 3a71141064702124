"""Compares generated texts with the files in tests/golden."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"
REFRESH = "REFRESH_GOLDEN"


def check(name: str, text: str) -> None:
    """Fails if a text is not what its golden file holds."""
    path = FOLDER / name
    if os.environ.get(REFRESH):
        path.write_text(text, encoding="utf-8")
    kept = path.read_text(encoding="utf-8") if path.exists() else None
    assert text == kept, (
        f"tests/golden/{name} is not what is generated now. If that is meant, refresh it by "
        f"`{REFRESH}=1 pytest {os.environ.get('PYTEST_CURRENT_TEST', '').split('::')[0]}` "
        "and look at the difference that git shows."
    )
