"""A Space as Optuna sees it: units to suggest one after another, and the way back to real values.

Optuna refuses a log scale with a step, so a stepped integer is searched in its own units, under a
name that says so: `model/hidden_size [x8]`, `training/batch_size [2^n]`. A value beside a range
(`or: 0`) is a switch of its own: `training/clip_norm [on]`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

from search_spaces import Choice, Fixed, Float, Int, Parameter, Scalar, Space, Values

Units = dict[str, BaseDistribution]
"""Name of an Optuna parameter → its distribution."""


def suggest(space: Space, trial: Trial) -> Values:
    """Asks Optuna for every parameter that turns out to be active, in the space's order."""

    def pick(name: str, distribution: BaseDistribution) -> Any:
        match distribution:
            case CategoricalDistribution():
                return trial.suggest_categorical(name, distribution.choices)
            case FloatDistribution(low=low, high=high, log=log):
                return trial.suggest_float(name, low, high, log=log)
            case IntDistribution(low=low, high=high, log=log):
                return trial.suggest_int(name, low, high, log=log)
        raise AssertionError(f"no suggestion for {distribution}")

    return space.fill(lambda parameter: _decode(parameter, pick))


def encode(space: Space, values: Mapping[str, Scalar]) -> tuple[dict[str, Any], Units]:
    """A configuration as Optuna's parameters, with their distributions."""
    params: dict[str, Any] = {}
    units: Units = {}
    for path, value in values.items():
        for name, distribution, unit in _encode(space.parameters[path], value):
            params[name], units[name] = unit, distribution
    return params, units


def always(space: Space) -> Units:
    """The units that every configuration has."""
    units: Units = {}
    for parameter in space.parameters.values():
        if space.is_permanent(parameter.path):
            first = parameter.domain.ends()[0]
            units |= {name: distribution for name, distribution, _ in _encode(parameter, first)}
    return units


def range_unit(domain: Float | Int, path: str) -> tuple[str, FloatDistribution | IntDistribution]:
    """Name and distribution of a range, without the value beside it."""
    if isinstance(domain, Float):
        return path, FloatDistribution(domain.low, domain.high, log=domain.log)
    low, high = domain.units
    if domain.power_of_2:
        return f"{path} [2^n]", IntDistribution(low, high)
    name = path if domain.multiple_of == 1 else f"{path} [x{domain.multiple_of}]"
    return name, IntDistribution(low, high, log=domain.log)


def switch_name(path: str) -> str:
    """Name of the switch between a range and the value beside it."""
    return f"{path} [on]"


_SWITCH = CategoricalDistribution((True, False))


def _decode(parameter: Parameter, pick: Callable[[str, BaseDistribution], Any]) -> Scalar:
    domain, path = parameter.domain, parameter.path
    if isinstance(domain, Fixed):
        return domain.value
    if isinstance(domain, Choice):
        chosen: Scalar = pick(path, CategoricalDistribution(domain.options))
        return chosen
    if domain.beside is not None and not pick(switch_name(path), _SWITCH):
        return domain.beside
    unit = pick(*range_unit(domain, path))
    return domain.value_of(unit) if isinstance(domain, Int) else float(unit)


def _encode(parameter: Parameter, value: Scalar) -> Iterator[tuple[str, BaseDistribution, Any]]:
    domain, path = parameter.domain, parameter.path
    if isinstance(domain, Fixed):
        return
    if isinstance(domain, Choice):
        yield path, CategoricalDistribution(domain.options), value
        return
    if domain.beside is not None:
        yield switch_name(path), _SWITCH, value != domain.beside
        if value == domain.beside:
            return
    name, distribution = range_unit(domain, path)
    yield name, distribution, domain.unit_of(int(value)) if isinstance(domain, Int) else value
