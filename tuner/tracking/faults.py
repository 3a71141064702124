"""What can go wrong with a server, in the three ways that matter to a delivery."""

from __future__ import annotations

MAX_LINE_LENGTH = 300
"""Of a problem, in characters."""


class Unreachable(Exception):
    """Nothing was lost; try again later."""


class Forgotten(Unreachable):
    """The server does not know what it made: deliver everything again."""


class Refused(Exception):
    """The server will never take this."""
