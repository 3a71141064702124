"""When a parameter exists: equality, sets and comparison with other parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from search_spaces.domains import Domain, Scalar, is_number, is_scalar
from search_spaces.problems import SpaceError, SpaceErrors

COMPARISONS = ("above", "below", "at_least", "at_most")


@dataclass(frozen=True, kw_only=True)
class When:
    """One condition: a controlling parameter is active, and its value passes every test given."""

    controller: str
    """Path of the parameter that decides."""
    among: tuple[Scalar, ...] | None = None
    """The values that pass; None lets the comparisons decide."""
    above: float | None = None
    below: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if self.among is None and not self.thresholds or self.among == ():
            raise SpaceErrors(
                [
                    SpaceError(
                        code="space/when",
                        rule=f"a condition on `{self.controller}` must name a value, a list or "
                        f"one of {', '.join(COMPARISONS)}",
                        got="nothing",
                        fix="Write for example `when: {model/cell: lstm}`.",
                        path=("when", self.controller),
                    )
                ]
            )

    @property
    def thresholds(self) -> dict[str, float]:
        """The comparisons given, by name."""
        given = {name: getattr(self, name) for name in COMPARISONS}
        return {name: number for name, number in given.items() if number is not None}

    def holds(self, value: Scalar) -> bool:
        """Whether the controller's value lets the parameter exist."""
        if self.among is not None and value not in self.among:
            return False
        if not self.thresholds:
            return True
        if isinstance(value, str | bool):
            return False
        return (
            (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
            and (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
        )

    def always_holds(self, domain: Domain) -> bool:
        """Whether every value of the controller lets the parameter exist."""
        if domain.size is not None:
            return all(map(self.holds, domain.points(None)))
        return self.among is None and all(map(self.holds, domain.ends()))

    def representatives(self, domain: Domain) -> list[Scalar]:
        """Values of the controller on both sides of every boundary of this condition."""
        found = [v for v in self.among or () if domain.contains(v)]
        for number in self.thresholds.values():
            found += _around(domain, number)
        return found

    def to_data(self) -> Any:
        """The condition as a space file spells it."""
        if self.thresholds:
            return dict(self.thresholds)
        assert self.among is not None
        return self.among[0] if len(self.among) == 1 else list(self.among)


def read_conditions(data: object) -> tuple[When, ...]:
    """Reads the value of `when`: a mapping of controllers to what they must be.

    Raises:
        SpaceErrors: anything else.
    """
    if not isinstance(data, dict):
        raise SpaceErrors([_mistake((), "a mapping of parameters to values", repr(data))])
    errors: list[SpaceError] = []
    conditions: list[When] = []
    for controller, test in data.items():
        try:
            conditions.append(_read_condition(str(controller), test))
        except SpaceErrors as found:
            errors += found.errors
    if errors:
        raise SpaceErrors(errors)
    return tuple(conditions)


def _read_condition(controller: str, test: object) -> When:
    if isinstance(test, dict):
        odd = [key for key in test if key not in COMPARISONS]
        if odd:
            must = f"one of {', '.join(COMPARISONS)}"
            raise SpaceErrors([_mistake((controller,), must, ", ".join(map(repr, odd)))])
        wrong = [number for number in test.values() if not is_number(number)]
        if wrong:
            raise SpaceErrors([_mistake((controller,), "numbers to compare with", repr(wrong[0]))])
        return When(controller=controller, **test)
    given: list[object] = test if isinstance(test, list) else [test]
    wrong = [value for value in given if not is_scalar(value)]
    if wrong:
        raise SpaceErrors([_mistake((controller,), "plain values", repr(wrong[0]))])
    return When(controller=controller, among=tuple(value for value in given if is_scalar(value)))


def _mistake(place: tuple[str, ...], must: str, got: str) -> SpaceError:
    return SpaceError(
        code="space/when",
        rule=f"a condition takes {must}",
        got=got,
        fix="Write for example `when: {model/layers: {above: 1}}`.",
        path=("when", *place),
    )


def _around(domain: Domain, number: float) -> list[Scalar]:
    """The domain's members next to a number, and the number itself if it is one."""
    if domain.size is None:
        # Any two values on either side show the branches of a real range.
        sides = [number, *((number + end) / 2 for end in domain.ends() if is_number(end))]
        return [side for side in sides if domain.contains(side)]
    members = [m for m in domain.points(None) if is_number(m)]
    numbers = sorted(float(m) for m in members)
    near = {max((n for n in numbers if n < number), default=None), number}
    near.add(min((n for n in numbers if n > number), default=None))
    return [m for m in members if m in near]
