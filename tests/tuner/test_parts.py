"""What can be imported from a spec's folder goes along to the nodes, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuner import parts
from tuner.errors import CommandError


def write(path: Path, text: str = "x = 1\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_modules_and_packages_are_taken(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("mine.py", "own/__init__.py", "own/deep/__init__.py", "own/deep/more.py"):
        write(root / name)
    for name in ("rows.csv", "sweeps/old/parts/mine.py", ".venv/lib/site.py", "own/notes.txt"):
        write(root / name)
    (root / "own" / "again").symlink_to(root / "own")
    parts.keep(root, tmp_path / "to")
    taken = sorted(
        p.relative_to(tmp_path / "to").as_posix() for p in (tmp_path / "to").rglob("*.*")
    )
    assert taken == ["mine.py", "own/__init__.py", "own/deep/__init__.py", "own/deep/more.py"]


def test_more_than_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MAX_BYTES", 10)
    write(tmp_path / "root" / "mine.py", "x" * 11)
    with pytest.raises(CommandError, match="11 bytes in 1 files"):
        parts.keep(tmp_path / "root", tmp_path / "to")
    assert not (tmp_path / "to").exists()
