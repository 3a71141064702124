"""A spec in the making: each value with the reason for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Draft:
    """What a spec is to say, and why."""

    task: str
    why: str
    """What the task was inferred from."""
    options: dict[str, Any] = field(default_factory=dict)
    """Of the task, beside its name."""
    options_why: str = ""
    data: dict[str, tuple[Any, str]] = field(default_factory=dict)
    """Key of section `data:` → value and comment."""
    override: dict[str, tuple[Any, str]] = field(default_factory=dict)
    id: str | None = None
    time: tuple[str, ...] = ()
    text: str | None = None
    targets: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What a user should know, and no line of the spec says."""

    def say(self, key: str, value: Any, why: str = "") -> None:
        """Sets a key of section `data:`."""
        self.data[key] = value, why
