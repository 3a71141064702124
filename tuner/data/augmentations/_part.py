"""What a part of this folder is handed besides its batch."""

from __future__ import annotations

from collections.abc import Callable

from tuner.tasks._base import Batch

Others = Callable[[], Batch]
"""Gives a batch of as many training rows, chosen by chance, as they stand in the data."""
