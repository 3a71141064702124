"""A token comes from a file that only its owner reads, and reaches Ray as a path."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cluster import Refused
from cluster.token import (
    MIN_CHARACTERS,
    check_token,
    make_token,
    place_of,
    read_token,
    use_token,
)

TOKEN = "0123456789abcdef" * 2


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_file_goes_before_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "another")
    file = write(tmp_path / "token", f"{TOKEN}\n")
    use_token(file)
    assert "RAY_AUTH_TOKEN" not in os.environ
    assert os.environ["RAY_AUTH_TOKEN_PATH"] == str(file)
    assert os.environ["RAY_AUTH_MODE"] == "token"


def test_without_a_file_ray_looks_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    use_token(None)
    assert "RAY_AUTH_MODE" not in os.environ, "a cluster without tokens"
    (tmp_path / ".ray").mkdir()
    write(tmp_path / ".ray" / "auth_token", TOKEN)
    use_token(None)
    assert os.environ.pop("RAY_AUTH_MODE") == "token"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_nobody_else_may_read_it(tmp_path: Path, mode: int) -> None:
    file = write(tmp_path / "token", TOKEN, mode)
    with pytest.raises(Refused, match=f"owner alone; got mode {mode:04o}. Run `chmod 600"):
        check_token(file)


@pytest.mark.parametrize("text", ["", "short", "two words " * 8])
def test_it_holds_a_token(tmp_path: Path, text: str) -> None:
    with pytest.raises(Refused, match="32 characters or more") as refused:
        check_token(write(tmp_path / "token", text))
    assert not text or text not in str(refused.value), "what may be a secret is not repeated"


def test_it_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="must be a file; got nothing there"):
        check_token(tmp_path / "none")
    with pytest.raises(Refused, match="must be readable; got Is a directory"):
        check_token(tmp_path)


def test_it_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "token"
    assert make_token(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    first = read_token(path)
    assert len(first) >= MIN_CHARACTERS
    assert not make_token(path) and read_token(path) == first, "the one that is there stays"


def test_it_is_found_where_ray_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert place_of(None) == tmp_path / ".ray" / "auth_token"
    make_token(tmp_path / "other")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "other"))
    assert read_token(None) == (tmp_path / "other").read_text()
    monkeypatch.setenv("RAY_AUTH_TOKEN", "t" * 64)
    assert read_token(None) == "t" * 64
