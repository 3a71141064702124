"""What a sweep is after beside its metric: further objectives, and bounds that must hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tuner.outcome import Outcome

COSTS = ("latency_ms", "parameters", "bytes")
"""What a model costs, whatever it has learned; less is better."""

_CONSTRAINT = re.compile(r"\s*([^\s<>=]+)\s*(<=|>=)\s*([^\s<>=]+)\s*")


@dataclass(frozen=True, kw_only=True)
class Objective:
    """One figure that trials compete in."""

    name: str
    """A validation metric or a cost."""
    maximize: bool

    def loss(self, value: float) -> float:
        """The figure, signed so that lower is better."""
        return -value if self.maximize else value


@dataclass(frozen=True, kw_only=True)
class Constraint:
    """A bound that a trial's figure must keep."""

    name: str
    """A validation metric or a cost."""
    sign: str
    """`<=` or `>=`."""
    bound: float

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """Reads `latency_ms <= 5`.

        Raises:
            ValueError: it is not of this form.
        """
        if (match := _CONSTRAINT.fullmatch(text)) is None:
            raise ValueError("must be NAME <= NUMBER or NAME >= NUMBER")
        name, sign, bound = match.groups()
        try:
            return cls(name=name, sign=sign, bound=float(bound))
        except ValueError:
            raise ValueError(f"must end in a number, and {bound!r} is none") from None

    def excess(self, value: float) -> float:
        """By how much a figure breaks the bound; zero or less where it keeps it.

        As a share of the bound, so that samplers may add milliseconds and parameters.
        """
        over = value - self.bound if self.sign == "<=" else self.bound - value
        return over / (abs(self.bound) or 1.0)

    def __str__(self) -> str:
        return f"{self.name} {self.sign} {self.bound:.15g}"


def figures(outcome: Outcome, metric: str) -> dict[str, float]:
    """All that is known of a trial: its metrics, its costs, and the sweep's metric at its best."""
    known = dict(outcome.metrics) | dict(outcome.costs)
    return known if outcome.value is None else known | {metric: outcome.value}


def violated(constraints: Sequence[Constraint], known: Mapping[str, float]) -> list[Constraint]:
    """The constraints that some figures break; what is not known breaks none."""
    return [c for c in constraints if c.name in known and c.excess(known[c.name]) > 0]


def pareto(losses: Mapping[int, Sequence[float]]) -> set[int]:
    """The numbers of those that none beats in one objective without losing in another."""
    front: dict[int, Sequence[float]] = {}
    # What dominates another comes before it in this order.
    for number, mine in sorted(losses.items(), key=lambda item: tuple(item[1])):
        if not any(_dominates(theirs, mine) for theirs in front.values()):
            front[number] = mine
    return set(front)


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)
