"""Where a value lies on an axis, as a share of its length, and the ticks along it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tuner.plots.markup import number

_BESIDE = 0.12
"""Share of an axis that one value beside a range takes."""


@dataclass(frozen=True)
class Tick:
    """One mark along an axis."""

    place: float
    text: str


class Scale(ABC):
    """An axis: values to shares in [0, 1]."""

    @abstractmethod
    def at(self, value: Any) -> float | None:
        """Where a value lies; None for what the axis does not hold."""

    @abstractmethod
    def ticks(self) -> list[Tick]:
        """What to write along it."""


@dataclass(frozen=True)
class Linear(Scale):
    """Equal differences are equally long."""

    low: float
    high: float

    def at(self, value: Any) -> float | None:
        if not _is_finite(value) or not self.low <= value <= self.high:
            return None
        return 0.5 if self.high == self.low else (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[Tick]:
        if self.high == self.low:
            return [Tick(0.5, number(self.low))]
        step = _step(self.high - self.low)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        places = (i * step for i in range(first, last + 1))
        # Close to zero, sums of steps are zero.
        values = (0.0 if abs(value) < step / 2 else value for value in places)
        width = self.high - self.low
        return [Tick(min(max((v - self.low) / width, 0), 1), _tick(v, step)) for v in values]


@dataclass(frozen=True)
class Log(Scale):
    """Equal ratios are equally long; both ends are above zero."""

    low: float
    high: float

    def at(self, value: Any) -> float | None:
        if not _is_finite(value) or not self.low <= value <= self.high:
            return None
        width = math.log(self.high / self.low)
        return 0.5 if not width else math.log(value / self.low) / width

    def ticks(self) -> list[Tick]:
        decades = math.log10(self.high / self.low)
        steps: Sequence[float] = (1,) if decades > 3 else (1, 3) if decades > 1.2 else (1, 2, 5)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        stride = max(1, round(decades / 5))
        found = [step * 10.0**power for power in range(first, last + 1, stride) for step in steps]
        inside = [value for value in found if self.at(value) is not None]
        if len(inside) < 2:
            inside = sorted({self.low, self.high})
        return [Tick(self.at(value) or 0.0, f"{value:.3g}") for value in inside]


@dataclass(frozen=True)
class Choices(Scale):
    """Values without an order, each in the middle of its own part."""

    options: tuple[Any, ...]

    def at(self, value: Any) -> float | None:
        for place, option in enumerate(self.options):
            # 1, 1.0 and True are told apart.
            if option == value and type(option) is type(value):
                return (place + 0.5) / len(self.options)
        return None

    def ticks(self) -> list[Tick]:
        num = len(self.options)
        return [Tick((i + 0.5) / num, _short(option)) for i, option in enumerate(self.options)]


@dataclass(frozen=True)
class Beside(Scale):
    """A scale with one more value before its beginning, such as the 0 of a range in logarithms."""

    value: Any
    text: str
    rest: Scale

    def at(self, value: Any) -> float | None:
        if value == self.value:
            return _BESIDE / 3
        place = self.rest.at(value)
        return None if place is None else _BESIDE + place * (1 - _BESIDE)

    def ticks(self) -> list[Tick]:
        moved = [Tick(_BESIDE + t.place * (1 - _BESIDE), t.text) for t in self.rest.ticks()]
        return [Tick(_BESIDE / 3, self.text), *moved]


@dataclass(frozen=True)
class Clipped(Scale):
    """A scale at whose ends lies what is beyond them."""

    rest: Linear | Log

    def at(self, value: Any) -> float | None:
        if isinstance(value, float) and math.isnan(value):
            return None
        return self.rest.at(min(max(value, self.rest.low), self.rest.high))

    def ticks(self) -> list[Tick]:
        return self.rest.ticks()


def spanning(values: Sequence[float]) -> Linear | Log:
    """The scale from the least to the largest finite value, with a margin; of logarithms where
    they are positive and far apart."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return Linear(0.0, 1.0)
    low, high = min(finite), max(finite)
    if low > 0 and high / low > 30:
        room = (high / low) ** 0.04
        return Log(low / room, high * room)
    room = 0.04 * (high - low) or abs(high) * 0.05 or 1.0
    return Linear(low - room, high + room)


def of_scores(values: Sequence[float], *, maximize: bool) -> Clipped:
    """The scale of scores, cut off on the bad side where few of them lie far from the others."""
    finite = sorted((v for v in values if math.isfinite(v)), reverse=maximize)
    if len(finite) >= 8:
        best, usual = finite[0], finite[len(finite) * 9 // 10]
        # As far again beyond the ninth tenth as that is from the best.
        edge = usual + (usual - best)
        worse = [v for v in finite if (v < edge if maximize else v > edge)]
        if worse and best != usual:
            finite = [*finite[: len(finite) - len(worse)], edge]
    return Clipped(spanning(finite))


def _is_finite(value: Any) -> bool:
    number_like = isinstance(value, int | float) and not isinstance(value, bool)
    return number_like and math.isfinite(value)


def _step(width: float) -> float:
    """A round step that gives four to nine ticks."""
    power = 10.0 ** math.floor(math.log10(width / 4))
    share = width / 4 / power
    return power * (5 if share >= 5 else 2 if share >= 2 else 1)


def _tick(value: float, step: float) -> str:
    if max(abs(value), step) >= 1e5 or step < 1e-4:
        return f"{value:.3g}"
    return f"{value:.{max(0, -math.floor(math.log10(step)))}f}"


def _short(option: Any) -> str:
    text = str(option).lower() if isinstance(option, bool) else str(option)
    return text if len(text) <= 18 else f"{text[:8]}…{text[-8:]}"
