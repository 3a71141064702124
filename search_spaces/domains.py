"""What one parameter may be: a range of floats or integers, a choice, or one fixed value."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from search_spaces.problems import SpaceError, SpaceErrors

Scalar = str | int | float | bool


@dataclass(frozen=True, kw_only=True)
class Float:
    """Real numbers in [low, high], both inclusive, and possibly one value beside the range."""

    low: float
    high: float
    default: float
    log: bool = False
    """Whether equal ratios, not equal differences, are equally likely."""
    beside: float | None = None
    """One value outside the range that may be taken too (`or: 0` adds zero to a log range)."""

    def __post_init__(self) -> None:
        errors = _bound_errors("float", self.low, self.high, self.log)
        _refuse(errors or _member_errors(self, "float", self.default, self.beside))

    @property
    def size(self) -> int | None:
        """Number of values; None when they cannot be counted."""
        return None if self.low < self.high else 1 + (self.beside is not None)

    def contains(self, value: object) -> bool:
        """Whether a value may be taken."""
        if not is_number(value):
            return False
        return self.low <= value <= self.high or value == self.beside

    def nearest(self, value: float) -> float:
        """The member of the range closest to a number."""
        return min(max(value, self.low), self.high)

    @property
    def middle(self) -> float:
        """The middle of the range on its own scale."""
        return self.nearest(_interpolate(self.low, self.high, 0.5, self.log))

    def points(self, num_points: int | None) -> list[Scalar]:
        """Evenly spaced values on the range's own scale, the value beside it first.

        Raises:
            ValueError: all points of an uncountable range were asked for.
        """
        if num_points is None and self.size is None:
            raise ValueError("a range of floats cannot be listed")
        spaced = _spaced(self.low, self.high, num_points or 1, self.log)
        return _with_beside(self.beside, list(dict.fromkeys(map(self.nearest, spaced))))

    def at(self, share: float) -> Scalar:
        """The value at a share in [0, 1) of the domain, uniform on the range's own scale."""
        if self.beside is not None:
            if share < 0.5:
                return self.beside
            share = 2 * share - 1
        return self.nearest(_interpolate(self.low, self.high, share, self.log))

    def ends(self) -> list[Scalar]:
        """The values at which a mistake would show."""
        return _with_beside(self.beside, list(dict.fromkeys((self.low, self.high))))

    def to_data(self) -> dict[str, Any]:
        """The domain as a space file spells it."""
        data: dict[str, Any] = {"float": [self.low, self.high]}
        return data | _extras(log=self.log, beside=self.beside) | {"default": self.default}


@dataclass(frozen=True, kw_only=True)
class Int:
    """Integers in [low, high], both inclusive: all, every n-th, or the powers of two."""

    low: int
    high: int
    default: int
    log: bool = False
    """Whether equal ratios, not equal differences, are equally likely."""
    multiple_of: int = 1
    """The values' common divisor; goes together with `log`."""
    power_of_2: bool = False
    """Whether only powers of two are taken, each equally likely and in order."""
    beside: int | None = None
    """One value outside the range that may be taken too."""

    def __post_init__(self) -> None:
        errors = _bound_errors("int", self.low, self.high, self.log)
        if not errors:
            errors = self._step_errors()
        _refuse(errors or _member_errors(self, "int", self.default, self.beside))

    def _step_errors(self) -> list[SpaceError]:
        ends = dict.fromkeys((self.low, self.high))
        if self.power_of_2:
            if self.multiple_of != 1:
                return [
                    SpaceError(
                        code="space/two-steps",
                        rule="a range takes `multiple_of` or `power_of_2`, not both",
                        got=f"multiple_of {self.multiple_of} and power_of_2",
                        fix="Remove one of the two.",
                    )
                ]
            odd = [end for end in ends if end < 1 or end & (end - 1)]
            rule, fix = "both ends must be powers of two", "Take the nearest powers, such as 16."
        else:
            if self.multiple_of < 1:
                return [
                    SpaceError(
                        code="space/step",
                        rule="`multiple_of` must be 1 or more",
                        got=str(self.multiple_of),
                        fix="Give a positive integer.",
                        path=("multiple_of",),
                    )
                ]
            odd = [end for end in ends if end % self.multiple_of]
            rule = f"both ends must be multiples of {self.multiple_of}"
            near = ", ".join(str(round(end / self.multiple_of) * self.multiple_of) for end in odd)
            fix = f"Take {near}, or another `multiple_of`."
        return [
            SpaceError(
                code="space/step", rule=rule, got=", ".join(map(str, odd)), fix=fix, path=("int",)
            )
        ] * bool(odd)

    @property
    def units(self) -> tuple[int, int]:
        """The ends of the range in units: exponents of two, or multiples of `multiple_of`."""
        return self.unit_of(self.low), self.unit_of(self.high)

    def unit_of(self, value: int) -> int:
        """A member of the range in units."""
        return value.bit_length() - 1 if self.power_of_2 else value // self.multiple_of

    def value_of(self, unit: int) -> int:
        """The member of the range that so many units make."""
        return 1 << unit if self.power_of_2 else unit * self.multiple_of

    @property
    def size(self) -> int | None:
        """Number of values."""
        first, last = self.units
        return last - first + 1 + (self.beside is not None)

    def contains(self, value: object) -> bool:
        """Whether a value may be taken."""
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        if value == self.beside:
            return True
        if not self.low <= value <= self.high:
            return False
        return not value & (value - 1) if self.power_of_2 else value % self.multiple_of == 0

    def nearest(self, value: float) -> int:
        """The member of the range closest to a number."""
        inside = min(max(value, self.low), self.high)
        unit = math.log2(inside) if self.power_of_2 else inside / self.multiple_of
        return self.value_of(round(unit))

    @property
    def middle(self) -> int:
        """The middle of the range on its own scale."""
        first, last = self.units
        return self.value_of(round(_interpolate(first, last, 0.5, self.log)))

    def points(self, num_points: int | None) -> list[Scalar]:
        """Evenly spaced values on the range's own scale (all of them for None)."""
        first, last = self.units
        if num_points is None or last - first < num_points:
            return _with_beside(self.beside, [self.value_of(u) for u in range(first, last + 1)])
        log = self.log and not self.power_of_2
        units = (round(u) for u in _spaced(first, last, num_points, log))
        return _with_beside(self.beside, [self.value_of(u) for u in dict.fromkeys(units)])

    def at(self, share: float) -> Scalar:
        """The value at a share in [0, 1) of the domain, uniform on the range's own scale."""
        if self.beside is not None:
            if share < 0.5:
                return self.beside
            share = 2 * share - 1
        first, last = self.units
        # Half a unit around both ends, or they would be half as likely as the others.
        log = self.log and not self.power_of_2
        unit = round(_interpolate(first - 0.5, last + 0.5, share, log))
        return self.value_of(min(max(unit, first), last))

    def ends(self) -> list[Scalar]:
        """The values at which a mistake would show."""
        return _with_beside(self.beside, list(dict.fromkeys((self.low, self.high))))

    def to_data(self) -> dict[str, Any]:
        """The domain as a space file spells it."""
        extras = _extras(log=self.log, beside=self.beside)
        if self.multiple_of != 1:
            extras["multiple_of"] = self.multiple_of
        if self.power_of_2:
            extras["power_of_2"] = True
        return {"int": [self.low, self.high]} | extras | {"default": self.default}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of several values without an order."""

    options: tuple[Scalar, ...]
    default: Scalar

    def __post_init__(self) -> None:
        _refuse(self._errors())

    def _errors(self) -> list[SpaceError]:
        place = ("choice",)
        if not self.options:
            return [
                SpaceError(
                    code="space/empty-choice",
                    rule="a choice must offer at least one value",
                    got="none",
                    fix="List the values, or leave the parameter out.",
                    path=place,
                )
            ]
        odd = [o for o in self.options if not is_scalar(o)]
        if odd:
            return [
                SpaceError(
                    code="space/choice-type",
                    rule="choices must be text, finite numbers, true or false",
                    got=", ".join(map(repr, odd)),
                    fix="Name each choice by one plain value.",
                    path=place,
                )
            ]
        twice = list(dict.fromkeys(o for i, o in enumerate(self.options) if o in self.options[:i]))
        errors = [
            SpaceError(
                code="space/duplicate-choice",
                rule="choices must differ",
                got=f"{', '.join(map(repr, twice))} more than once",
                fix="Remove the repetition.",
                path=place,
            )
        ] * bool(twice)
        if self.default not in self.options:
            errors.append(
                SpaceError(
                    code="space/default",
                    rule=f"the default must be one of {', '.join(map(repr, self.options))}",
                    got=repr(self.default),
                    fix="Take one of them, or add it to the choices.",
                    path=("default",),
                )
            )
        return errors

    @property
    def size(self) -> int | None:
        """Number of values."""
        return len(self.options)

    def contains(self, value: object) -> bool:
        """Whether a value may be taken; 1, 1.0 and true are told apart by type."""
        return any(value == o and type(value) is type(o) for o in self.options)

    def points(self, num_points: int | None) -> list[Scalar]:
        """Every option: a choice has no order along which to leave some out."""
        return list(self.options)

    def at(self, share: float) -> Scalar:
        """The option at a share in [0, 1) of the list."""
        return self.options[min(int(share * len(self.options)), len(self.options) - 1)]

    def ends(self) -> list[Scalar]:
        """The values at which a mistake would show: every option."""
        return list(self.options)

    def to_data(self) -> dict[str, Any]:
        """The domain as a space file spells it."""
        return {"choice": list(self.options), "default": self.default}


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """One value that does not vary."""

    value: Scalar

    def __post_init__(self) -> None:
        if not is_scalar(self.value):
            raise SpaceErrors(
                [
                    SpaceError(
                        code="space/domain",
                        rule="a fixed value must be text, a finite number, true or false",
                        got=repr(self.value),
                        fix="Give one plain value, or `choice`, `int` or `float`.",
                    )
                ]
            )

    @property
    def default(self) -> Scalar:
        """The value."""
        return self.value

    @property
    def size(self) -> int | None:
        """Number of values."""
        return 1

    def contains(self, value: object) -> bool:
        """Whether a value may be taken."""
        return value == self.value and isinstance(value, bool) == isinstance(self.value, bool)

    def points(self, num_points: int | None) -> list[Scalar]:
        """The value."""
        return [self.value]

    def at(self, share: float) -> Scalar:
        """The value."""
        return self.value

    def ends(self) -> list[Scalar]:
        """The value."""
        return [self.value]

    def to_data(self) -> Scalar:
        """The domain as a space file spells it."""
        return self.value


Domain = Float | Int | Choice | Fixed


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a finite number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_scalar(value: object) -> TypeGuard[Scalar]:
    """Whether a value is text, a finite number, true or false."""
    return isinstance(value, str | bool) or is_number(value)


def _refuse(errors: list[SpaceError]) -> None:
    if errors:
        raise SpaceErrors(errors)


def _bound_errors(kind: str, low: float, high: float, log: bool) -> list[SpaceError]:
    got = f"[{low}, {high}]"
    if not (is_number(low) and is_number(high)):
        code, rule, fix = "space/bound", "bounds must be finite numbers", "Give two plain numbers."
    elif low > high:
        code, rule = "space/reversed", "the lower bound must come first"
        fix = f"Write [{high}, {low}]."
    elif log and low <= 0:
        code, rule = "space/log", "a log range must begin above 0"
        fix = "Raise the lower bound; `or: 0` adds zero."
    else:
        return []
    return [SpaceError(code=code, rule=rule, got=got, fix=fix, path=(kind,))]


def _member_errors(
    domain: Float | Int, kind: str, default: float, beside: float | None
) -> list[SpaceError]:
    errors = []
    if beside is not None and (not is_number(beside) or domain.low <= beside <= domain.high):
        errors.append(
            SpaceError(
                code="space/or",
                rule="`or` must name a number outside the range",
                got=repr(beside),
                fix="Leave it out, or raise the lower bound.",
                path=("or",),
            )
        )
    if not domain.contains(default):
        errors.append(
            SpaceError(
                code="space/default",
                rule=f"the default must lie in {kind} [{domain.low}, {domain.high}]",
                got=repr(default),
                fix=f"Take {domain.nearest(default) if is_number(default) else domain.low}, "
                "or widen the range.",
                path=("default",),
            )
        )
    return errors


def _interpolate(low: float, high: float, share: float, log: bool) -> float:
    if log:
        return math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    return low + share * (high - low)


def _spaced(low: float, high: float, num_points: int, log: bool) -> Iterable[float]:
    if low == high:
        return [low]
    if num_points == 1:
        return [_interpolate(low, high, 0.5, log)]
    inner = (_interpolate(low, high, i / (num_points - 1), log) for i in range(1, num_points - 1))
    return [low, *inner, high]


def _with_beside(beside: float | None, values: Sequence[Scalar]) -> list[Scalar]:
    return list(values) if beside is None else [beside, *values]


def _extras(*, log: bool, beside: float | None) -> dict[str, Any]:
    extras: dict[str, Any] = {"log": True} if log else {}
    return extras if beside is None else extras | {"or": beside}
