"""The scale of a parameter: its domain as an axis."""

from __future__ import annotations

from search_spaces import Choice, Domain, Fixed, Float, Int
from tuner.plots.markup import number
from tuner.plots.scale import Beside, Choices, Linear, Log, Scale

_FEW = 12
"""Integers that are told apart by name."""


def of_domain(domain: Domain) -> Scale:
    """Logarithms where the search took them; the value beside a range before its beginning."""
    if isinstance(domain, Choice):
        return Choices(domain.options)
    if isinstance(domain, Fixed):
        return Choices((domain.value,))
    rest = _range(domain)
    if domain.beside is None:
        return rest
    return Beside(domain.beside, number(domain.beside), rest)


def _range(domain: Float | Int) -> Scale:
    if isinstance(domain, Int):
        first, last = domain.units
        if last - first < _FEW:
            return Choices(tuple(domain.value_of(unit) for unit in range(first, last + 1)))
    if domain.log or (isinstance(domain, Int) and domain.power_of_2):
        return Log(domain.low, domain.high)
    return Linear(domain.low, domain.high)
