"""A space: named parameters, their domains, their conditions. Pure, frozen data."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal

from search_spaces import walk
from search_spaces.conditions import When
from search_spaces.domains import Domain, Float, Int, Scalar
from search_spaces.problems import SpaceError, SpaceErrors

Inputs = Literal["texts", "numbers", "fused", "pictures"]
"""What sequences are made of, that a second input stands beside each, that pictures are read."""

Values = dict[str, Scalar]
"""One configuration: a value for every parameter that is active in it, by path."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """What one path may be, and when it exists at all."""

    path: str
    """Its one spelling from space to leaderboard, such as `model/hidden_size`."""
    domain: Domain
    when: tuple[When, ...] = ()
    """All must hold, and every controller must be active itself."""
    of: Inputs | None = None
    """The inputs that it is for, where others make it do nothing."""

    def to_data(self) -> Any:
        """The parameter as a space file spells it."""
        data = self.domain.to_data()
        beside: dict[str, Any] = {"of": self.of} if self.of else {}
        if self.when:
            beside["when"] = {when.controller: when.to_data() for when in self.when}
        if not beside:
            return data
        return (data if isinstance(data, dict) else {"fixed": data}) | beside


@dataclass(frozen=True, kw_only=True)
class Space:
    """What may vary. Parameters stand after those that control them, else in the order given.

    Raises:
        SpaceErrors: a condition on an unknown parameter, or conditions in a circle.
    """

    parameters: dict[str, Parameter]
    about: str = ""
    source: str = ""
    """The paper or document that the space comes from."""
    task: str = ""
    """The task that the space is made for; empty for any."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", _ordered(self.parameters))

    @staticmethod
    def parse(data: object, load: Callable[[str], Space], *, narrowed: bool = False) -> Space:
        """Reads a space from plain data as a YAML file holds it; `load` resolves `include`.

        Args:
            data: the mapping.
            load: gives the space of a name.
            narrowed: whether overrides may have left conditions that can no longer hold, as in
                what `to_data` spells.

        Raises:
            SpaceErrors: all mistakes, each with its place in `data`.
        """
        from search_spaces import reader

        return reader.parse(data, load, narrowed)

    def override(self, domains: Mapping[str, object]) -> Space:
        """The space with some domains replaced, spelled as in a space file.

        A condition stays unless a new one is given, and so does the default if it is still
        inside; else the first choice or the nearest bound is taken. An unknown path is added.

        Raises:
            SpaceErrors: all mistakes, each with its place in `domains`.
        """
        from search_spaces import reader

        return reader.override(self, domains)

    def suited(self, *inputs: Inputs) -> Space:
        """The space without what is for other inputs, and what exists only beside that."""
        kept: dict[str, Parameter] = {}
        for path, parameter in self.parameters.items():
            if parameter.of in (None, *inputs) and all(
                when.controller in kept for when in parameter.when
            ):
                kept[path] = parameter
        return replace(self, parameters=kept)

    @property
    def warnings(self) -> list[SpaceError]:
        """What is allowed, but can hardly be meant."""
        return [
            SpaceError(
                code="space/single-value",
                rule=f"`{p.path}` should have a lower bound below the upper one",
                got=f"[{p.domain.low}, {p.domain.high}]",
                fix=f"Write {p.domain.low} to fix it.",
                path=("parameters", p.path),
            )
            for p in self.parameters.values()
            if isinstance(p.domain, Float | Int) and p.domain.low == p.domain.high
        ]

    @property
    def conditional(self) -> bool:
        """Whether some parameter exists only in part of the space."""
        return not all(map(self.is_permanent, self.parameters))

    @property
    def controllers(self) -> list[str]:
        """Paths of the parameters that some condition reads, in order."""
        read = {when.controller for p in self.parameters.values() for when in p.when}
        return [path for path in self.parameters if path in read]

    def is_permanent(self, path: str) -> bool:
        """Whether a parameter exists in every configuration, whatever its conditions say."""
        return all(
            self.is_permanent(when.controller)
            and when.always_holds(self.parameters[when.controller].domain)
            for when in self.parameters[path].when
        )

    def is_active(self, path: str, values: Mapping[str, Scalar]) -> bool:
        """Whether a parameter exists, given the values of the active parameters before it."""
        return all(
            when.controller in values and when.holds(values[when.controller])
            for when in self.parameters[path].when
        )

    def active(self, values: Mapping[str, Scalar]) -> list[str]:
        """Paths of the parameters that exist under these values, in order."""
        known: Values = {}
        paths = []
        for path in self.parameters:
            if self.is_active(path, known):
                paths.append(path)
                if path in values:
                    known[path] = values[path]
        return paths

    def fill(self, pick: Callable[[Parameter], Scalar]) -> Values:
        """One configuration: asks for a value of each parameter that turns out to be active."""
        values: Values = {}
        for path, parameter in self.parameters.items():
            if self.is_active(path, values):
                values[path] = pick(parameter)
        return values

    def defaults(self) -> Values:
        """The untuned configuration."""
        return self.fill(lambda parameter: parameter.domain.default)

    def sample(self, random: Random) -> Values:
        """A configuration drawn at random, each parameter uniform on its own scale."""
        return self.fill(lambda parameter: parameter.domain.at(random.random()))

    def contains(self, values: Mapping[str, Scalar]) -> list[str]:
        """What keeps these values out of the space; empty when they are inside."""
        active = self.active(values)
        return [
            *(f"`{path}` is missing" for path in active if path not in values),
            *(f"`{path}` does not exist here" for path in values if path not in active),
            *(
                f"`{path}` cannot be {values[path]!r}"
                for path in active
                if path in values and not self.parameters[path].domain.contains(values[path])
            ),
        ]

    def corners(self) -> Iterator[tuple[Values, str]]:
        """Configurations that together visit every branch and every end of every domain.

        Yields:
            A configuration, and the path of the parameter whose value is new in it.
        """
        return walk.corners(self)

    def grid(self, points_per_range: int) -> Iterator[Values]:
        """Every combination of every choice and of so many points of each range, once."""
        return walk.grid(self, points_per_range)

    def size(self) -> int | None:
        """Number of configurations; None when a real range makes them uncountable."""
        return walk.size(self)

    def to_data(self) -> dict[str, Any]:
        """The space as a file without `include` spells it; `parse` gives the same space back."""
        head = {"about": self.about, "source": self.source, "task": self.task}
        body = {path: parameter.to_data() for path, parameter in self.parameters.items()}
        return {key: text for key, text in head.items() if text} | {"parameters": body}

    def replaced(self, parameters: Mapping[str, Parameter]) -> Space:
        """The space with some parameters replaced or added."""
        return replace(self, parameters=self.parameters | dict(parameters))


def _ordered(parameters: Mapping[str, Parameter]) -> dict[str, Parameter]:
    errors = [
        SpaceError(
            code="space/unknown-controller",
            rule=f"`{path}`: a condition must name a parameter of the space",
            got=f"`{when.controller}`",
            fix=_nearest(when.controller, parameters),
            path=("parameters", path, "when", when.controller),
        )
        for path, parameter in parameters.items()
        for when in parameter.when
        if when.controller not in parameters
    ]
    if errors:
        raise SpaceErrors(errors)
    left = dict(parameters)
    done: dict[str, Parameter] = {}
    while left:
        ready = next((p for p, v in left.items() if all(w.controller in done for w in v.when)), "")
        if not ready:
            raise SpaceErrors(
                [
                    SpaceError(
                        code="space/cycle",
                        rule="conditions must not depend on one another in a circle",
                        got=", ".join(f"`{path}`" for path in left),
                        fix="Remove one of these conditions.",
                        path=("parameters", next(iter(left)), "when"),
                    )
                ]
            )
        done[ready] = left.pop(ready)
    return done


def _nearest(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean `{close[0]}`?" if close else "Add that parameter, or drop the condition."
