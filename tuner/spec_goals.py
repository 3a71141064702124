"""What a spec says that a sweep is after: its metric, further objectives, constraints."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from tuner.document import Place
from tuner.search.config import SearchConfig
from tuner.search.objectives import COSTS, Constraint, Objective

Add = Callable[[str, str, str, str, Place], None]
"""Takes a mistake: its code, rule, value received, way out and place."""

Metrics = Mapping[str, Literal["minimize", "maximize"]]


@dataclass(frozen=True, kw_only=True)
class Goals:
    """What trials compete in."""

    metric: str
    maximize: bool
    others: tuple[Objective, ...]
    search: SearchConfig
    """As given, with the scheduler that several objectives need."""


def goals(task: str, search: SearchConfig, metrics: Metrics, add: Add) -> Goals:
    """Reads and checks what the `search` section says of its ends.

    Args:
        task: its name.
        search: the section.
        metrics: the task's validation metrics, its usual one first.
        add: takes every mistake.
    """
    first = search.objectives[0] if search.objectives else search.metric or next(iter(metrics))
    place: Place = ("search", "objectives" if search.objectives else "metric")
    if search.objectives and search.metric and search.metric != first:
        add(
            "objectives",
            "`search/metric` must be left out or be the first of `search/objectives`",
            f"{search.metric} beside {first}",
            "Leave `metric` out.",
            ("search", "metric"),
        )
    if first not in metrics:
        add(
            "unknown-metric",
            f"`{'/'.join(map(str, place))}` must {_begin(search)}a validation metric of {task}",
            repr(first),
            _near(first, metrics),
            place,
        )
    elif search.direction and search.direction != metrics[first]:
        add(
            "direction",
            f"`search/direction` must be the metric's own: {first} is to {metrics[first]}",
            search.direction,
            "Leave it out.",
            ("search", "direction"),
        )
    others = _others(search, metrics, add)
    _constraints(search, metrics, add)
    if len(search.objectives) > 1:
        search = _for_several(search, add)
    return Goals(
        metric=first,
        maximize=metrics.get(first, "maximize") == "maximize",
        others=others,
        search=search,
    )


def _begin(search: SearchConfig) -> str:
    return "begin with " if search.objectives else "be "


def _others(search: SearchConfig, metrics: Metrics, add: Add) -> tuple[Objective, ...]:
    found: list[Objective] = []
    for index, name in enumerate(search.objectives):
        place: Place = ("search", "objectives", index)
        if name in search.objectives[:index]:
            add("objectives", "each objective must be named once", name, "Name it once.", place)
        elif index and name not in metrics and name not in COSTS:
            add(
                "unknown-objective",
                "an objective must be a validation metric or a cost",
                repr(name),
                _near(name, [*metrics, *COSTS]),
                place,
            )
        elif index:
            found.append(Objective(name=name, maximize=metrics.get(name) == "maximize"))
    return tuple(found)


def _constraints(search: SearchConfig, metrics: Metrics, add: Add) -> None:
    for index, text in enumerate(search.constraints):
        place: Place = ("search", "constraints", index)
        try:
            name = Constraint.parse(text).name
        except ValueError as wrong:
            fix = "Write such as `latency_ms <= 5` or `parameters <= 1e6`."
            add("constraint", f"a constraint {wrong}", repr(text), fix, place)
            continue
        if name not in metrics and name not in COSTS:
            add(
                "unknown-objective",
                "a constraint must bound a validation metric or a cost",
                repr(name),
                _near(name, [*metrics, *COSTS]),
                place,
            )


def _for_several(search: SearchConfig, add: Add) -> SearchConfig:
    """Nothing is stopped early: what is behind in one objective may be ahead in another, and the
    trials of a Pareto front must have had one budget."""
    if search.scheduler != "none" and "scheduler" in search.model_fields_set:
        add(
            "objectives",
            "`search/scheduler` must be none with several objectives: what is behind in one may "
            "be ahead in another",
            search.scheduler,
            "Leave it out, or keep one objective and bound the others by `search/constraints`.",
            ("search", "scheduler"),
        )
    if search.sampler == "cmaes":
        add(
            "objectives",
            "`search/sampler` must be one that knows several objectives",
            search.sampler,
            "Take tpe, nsga2, gp, random, qmc or grid.",
            ("search", "sampler"),
        )
    return search.model_copy(update={"scheduler": "none"})


def _near(name: str, known: Mapping[str, str] | list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    near = f"Did you mean `{close[0]}`? " if close else ""
    return f"{near}Known: {', '.join(known)}."
