"""Channels that are made of columns: categories, calendar, rolling statistics; and their roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tuner.data.roles import Roles

WAVES = ("sin", "cos")
"""What a place in the calendar becomes, so that its end meets its beginning."""


@dataclass(frozen=True, kw_only=True)
class Derived:
    """What a layout holds besides numeric columns; channels stand in this order after them."""

    categories: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Text columns, and the values each of which is a channel of 0 and 1."""
    calendar: tuple[str, ...] = ()
    """Fields of the time, a sine and a cosine each."""
    rolling: tuple[tuple[str, int], ...] = ()
    """Statistic and window, for every feature that is measured."""
    known: tuple[str, ...] = ()
    """Columns known for the horizon, too."""
    static: tuple[str, ...] = ()
    """Columns that are constant within each series."""
    ahead: tuple[str, int] | None = None
    """From row to row: `months` or `microseconds`, and how many; None without a calendar."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Text columns that must be in a file."""
        return tuple(name for name, _ in self.categories)

    def measured(self, features: Sequence[str]) -> list[str]:
        """Features that rolling statistics are made of."""
        return [name for name in features if name not in {*self.known, *self.static}]

    def names(self, features: Sequence[str]) -> tuple[str, ...]:
        """All channels, numeric columns first."""
        return (
            *features,
            *(f"{name}={value}" for name, values in self.categories for value in values),
            *(f"{field} {wave}" for field in self.calendar for wave in WAVES),
            *(
                f"{name} {statistic} {window}"
                for statistic, window in self.rolling
                for name in self.measured(features)
            ),
        )

    def owners(self, features: Sequence[str]) -> list[str]:
        """The column of each channel that is read."""
        return [*features, *(name for name, values in self.categories for _ in values)]

    def roles(self, features: Sequence[str]) -> Roles:
        """What each channel is."""
        owners = self.owners(features)
        begin = len(owners)
        end = begin + len(self.calendar) * len(WAVES)
        calendar = range(begin, end)
        return Roles(
            plain=tuple(range(len(features), end)),
            known=(*(i for i, name in enumerate(owners) if name in self.known), *calendar),
            static=tuple(i for i, name in enumerate(owners) if name in self.static),
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Derived:
        """The reverse of `dataclasses.asdict`."""
        ahead = data["ahead"]
        return cls(
            categories=tuple((name, tuple(values)) for name, values in data["categories"]),
            calendar=tuple(data["calendar"]),
            rolling=tuple((statistic, window) for statistic, window in data["rolling"]),
            known=tuple(data["known"]),
            static=tuple(data["static"]),
            ahead=ahead and (ahead[0], ahead[1]),
        )
