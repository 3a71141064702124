"""What is fetched once for all processes of a machine."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tuner import cache


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_whoever_comes_first_makes_it(own: Path) -> None:
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "rows").write_text("1")

    def want() -> None:
        assert (cache.once("key", make) / "rows").read_text() == "1"

    threads = [threading.Thread(target=want) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert own.stat().st_mode & 0o777 == 0o700


def test_what_fails_leaves_nothing_and_may_be_tried_again(own: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        cache.once("key", fail)
    assert [path.name for path in own.iterdir()] == [".key.lock"]
    assert cache.once("key", lambda folder: (folder / "whole").touch()) == own / "key"


def test_scratch_of_the_dead_is_deleted(own: Path) -> None:
    mine = cache.scratch()
    dead = own / f"work-{2**22 + 1}-x"
    dead.mkdir()
    cache.scratch()
    assert mine.is_dir() and not dead.exists()
    assert mine.name.startswith(f"work-{os.getpid()}-")


def test_a_folder_that_others_write_to_is_none_of_ours(own: Path) -> None:
    own.mkdir()
    own.chmod(0o777)
    with pytest.raises(PermissionError, match="only its owner"):
        cache.folder()
