"""Ways through a space: its corners, its grid, its size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from search_spaces.domains import Scalar

if TYPE_CHECKING:
    from search_spaces.schema import Parameter, Space, Values


def corners(space: Space) -> Iterator[tuple[Values, str]]:
    """Every combination of the controllers' telling values; in each new branch, every end.

    A branch is a set of parameters that are active together. Ends are tried one at a time, the
    others at their defaults, so that a mistake is one parameter's.
    """
    controllers = set(space.controllers)
    seen: set[tuple[str, ...]] = set()

    def telling(parameter: Parameter) -> list[Scalar]:
        if parameter.path not in controllers:
            return [parameter.domain.default]
        found = [*parameter.domain.ends(), parameter.domain.default]
        for other in space.parameters.values():
            for when in other.when:
                if when.controller == parameter.path:
                    found += when.representatives(parameter.domain)
        return list(dict.fromkeys(found))

    for values in _branches(space, telling):
        varied = [path for path in values if path in controllers]
        yield values, varied[-1] if varied else next(iter(values), "")
        branch = tuple(values)
        if branch in seen:
            continue
        seen.add(branch)
        for path in values:
            if path not in controllers:
                for end in space.parameters[path].domain.ends():
                    if end != values[path]:
                        yield values | {path: end}, path


def grid(space: Space, points_per_range: int) -> Iterator[Values]:
    """Every combination of points, branch by branch, each once."""
    return _branches(space, lambda parameter: parameter.domain.points(points_per_range))


def size(space: Space) -> int | None:
    """Number of configurations: those of the controllers, times what is free under each."""
    controllers = set(space.controllers)
    if any(space.parameters[path].domain.size is None for path in controllers):
        return None

    def all_of(parameter: Parameter) -> list[Scalar]:
        if parameter.path in controllers:
            return parameter.domain.points(None)
        return [parameter.domain.default]

    total = 0
    for values in _branches(space, all_of):
        sizes = [space.parameters[path].domain.size for path in values if path not in controllers]
        if None in sizes:
            return None
        total += math.prod(size or 1 for size in sizes)
    return total


def _branches(space: Space, points: Callable[[Parameter], list[Scalar]]) -> Iterator[Values]:
    parameters = list(space.parameters.values())
    listed = {parameter.path: points(parameter) for parameter in parameters}

    def walk(index: int, values: Values) -> Iterator[Values]:
        if index == len(parameters):
            yield values
            return
        path = parameters[index].path
        if not space.is_active(path, values):
            yield from walk(index + 1, values)
            return
        for value in listed[path]:
            yield from walk(index + 1, values | {path: value})

    return walk(0, {})
