"""What the channels of a series are besides measurements: known ahead, constant, or not a size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Places among the channels."""

    plain: tuple[int, ...] = ()
    """Categories and calendar: taken as they are, neither scaled, clipped, smoothed nor normalised
    by window."""
    known: tuple[int, ...] = ()
    """Known for the horizon, too."""
    static: tuple[int, ...] = ()
    """Constant within each series."""

    @classmethod
    def from_json(cls, data: Mapping[str, Sequence[int]]) -> Roles:
        """The reverse of `dataclasses.asdict`."""
        return cls(**{name: tuple(places) for name, places in data.items()})
