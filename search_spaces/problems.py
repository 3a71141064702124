"""What can be wrong with a space, each in the four parts that a user needs to mend it."""

from __future__ import annotations

from collections.abc import Iterable

Place = tuple[str | int, ...]
"""Keys from the top of the data that was handed in, such as ("parameters", "model/layers")."""


class SpaceError(ValueError):
    """One thing that is wrong with a space."""

    def __init__(self, *, code: str, rule: str, got: str, fix: str, path: Place = ()) -> None:
        self.code = code
        """Stable and greppable, such as `space/empty-choice`."""
        self.rule = rule
        """What must hold, as a clause."""
        self.got = got
        """The value received."""
        self.fix = fix
        """The way out, as a sentence with its full stop."""
        self.path = path
        """Where, in the data that was handed in."""
        super().__init__(f"{rule}; {_spelled(path)} gave {got}. {fix} [{code}]")

    def under(self, place: Place, name: str) -> SpaceError:
        """The same error of parameter `name`, with its place seen from further outside."""
        return SpaceError(
            code=self.code,
            rule=self.rule if name in self.rule else f"`{name}`: {self.rule}",
            got=self.got,
            fix=self.fix,
            path=(*place, *self.path),
        )


class SpaceErrors(ValueError):
    """Every mistake that could be found in one go."""

    def __init__(self, errors: Iterable[SpaceError]) -> None:
        self.errors = list(errors)
        assert self.errors, "SpaceErrors without an error"
        super().__init__("\n".join(map(str, self.errors)))


def _spelled(path: Place) -> str:
    return " → ".join(map(str, path)) or "the space"
