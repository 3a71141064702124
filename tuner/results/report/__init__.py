"""One page to send: what a sweep found, what it cost, and how to repeat it."""

from __future__ import annotations

from pathlib import Path

from tuner.files import write_text
from tuner.results.report.findings import Findings
from tuner.results.report.page import page

FILE = "report.html"


def write(path: Path, found: Findings) -> None:
    """Writes the page of one sweep.

    Raises:
        OSError: the file cannot be written.
    """
    write_text(path, page(found))
