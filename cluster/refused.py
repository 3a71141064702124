"""How this package says no; `tuner` turns it into one of its own mistakes."""

from __future__ import annotations


class Refused(ValueError):
    """What a user has to mend: the rule, the value received, a way out, and a stable code.

    Args:
        where: the place; a section of the spec, a file, or a node.
    """

    def __init__(
        self,
        rule: str,
        got: str,
        fix: str,
        *,
        code: str = "plan/impossible",
        where: str = "resources",
    ) -> None:
        self.rule, self.got, self.fix, self.code, self.where = rule, got, fix, code, where
        super().__init__(f"{rule}; got {got}. {fix}")
