"""Chromium without a window, for tests of what people look at; they skip themselves without it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

needed = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium is installed (Debian: apt install chromium)"
)


def dom(address: str, folder: Path, *, wait_ms: int = 0) -> str:
    """The document after its scripts have run.

    Args:
        address: of the page.
        folder: where the browser may keep what it likes.
        wait_ms: time that the page believes to have for what it fetches.
    """
    assert CHROMIUM is not None
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1400,1000"]
    flags += [f"--user-data-dir={folder / 'profile'}"]
    flags += [f"--virtual-time-budget={wait_ms}"] if wait_ms else []
    done = subprocess.run(
        [CHROMIUM, *flags, "--dump-dom", address], capture_output=True, text=True, timeout=120
    )
    return done.stdout
