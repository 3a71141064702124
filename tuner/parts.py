"""The user's own parts, taken along: the nodes of a cluster may not see the spec's folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from tuner.errors import CommandError, Mistake

MAX_BYTES = 20 * 2**20
"""Code is smaller; what is larger is a virtual environment or data."""


def keep(root: Path, to: Path) -> None:
    """Copies what can be imported from a folder: its modules and its packages.

    Raises:
        CommandError: it is more than code would be.
    """
    files = list(_importable(root))
    size = sum(file.stat().st_size for file in files)
    if size > MAX_BYTES:
        raise CommandError(
            Mistake(
                code="cluster/parts",
                rule=f"code beside a spec must be smaller than {MAX_BYTES:,} bytes, to be taken to "
                "the nodes",
                where=str(root),
                got=f"{size:,} bytes in {len(files):,} files",
                fix="Put the spec and its parts into a folder of their own.",
            )
        )
    for file in files:
        target = to / file.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def _importable(folder: Path) -> Iterator[Path]:
    yield from sorted(p for p in folder.glob("*.py") if p.is_file())
    for package in sorted(p.parent for p in folder.glob("*/__init__.py")):
        if package.name.isidentifier() and not package.is_symlink():
            yield from _importable(package)
