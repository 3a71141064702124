"""What one check of the doctor found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tuner.errors import Mistake
from tuner.home import Home


@dataclass(frozen=True, kw_only=True)
class Patient:
    """What is examined."""

    home: Home
    """Where sweeps would be kept."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the doctor's report."""

    check: str
    """What was looked at, in a word or two."""
    found: str
    """What there is."""
    mistake: Mistake | None = None
    """What is wrong with it, and how to mend it."""
    grave: bool = True
    """Whether a sweep would fail by it; otherwise it only goes worse."""

    @property
    def state(self) -> Literal["ok", "warning", "wrong"]:
        """How bad it is."""
        if self.mistake is None:
            return "ok"
        return "wrong" if self.grave else "warning"

    def to_data(self) -> dict[str, str]:
        """As plain data, for programs."""
        data = {"check": self.check, "state": self.state, "found": self.found}
        if self.mistake is not None:
            data |= {"code": self.mistake.code, "rule": self.mistake.rule, "fix": self.mistake.fix}
        return data
