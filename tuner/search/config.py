"""The `search` section of a spec."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tuner.part import Config

Sampler = Literal["random", "grid", "tpe", "gp", "cmaes", "nsga2", "qmc"]
Scheduler = Literal["none", "asha", "hyperband", "median"]

FEWEST = 20
"""Trials with a usable model below which it cannot be said which parameters mattered: two make up
their best tenth."""


class SearchConfig(Config):
    """How a sweep searches: what it optimises, who proposes, who stops, and for how long."""

    metric: str | None = None
    """The validation metric that ranks trials; the task's own when left out."""
    objectives: list[str] = Field(default_factory=list)
    """Several figures to trade off, the ranking metric first, then metrics or costs: `latency_ms`,
    `parameters`, `bytes`; instead of `metric`."""
    constraints: list[str] = Field(default_factory=list)
    """Bounds that a winner must keep, such as `latency_ms <= 5` or `parameters <= 1e6`."""
    direction: Literal["minimize", "maximize"] | None = None
    """Which way is better; the metric's own when left out."""
    sampler: Sampler = "tpe"
    """Who proposes the next trial."""
    scheduler: Scheduler = "asha"
    """Who ends unpromising trials before their budget is spent."""
    trials: Annotated[int, Field(ge=1)] = 50
    """Trials to start, the untuned trial 0 included."""
    hours: Annotated[float, Field(gt=0)] | None = None
    """Wall hours after which no trial is started."""
    trial_hours: Annotated[float, Field(gt=0)] | None = None
    """Hours of training after which a trial ends with its epoch, its best one counting."""
    confirm: Annotated[int, Field(ge=0)] | None = None
    """Best trials that are trained again on fresh seeds before the winner is named; left out: 3,
    or 2, where that takes at most half as many epochs as the search did."""
    seeds: Annotated[int, Field(ge=2, le=100)] = 3
    """Fresh seeds for each of them."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Decides every suggestion, together with the results told."""
    grace: Annotated[int, Field(ge=1)] = 1
    """Epochs that every trial may train before it can be stopped."""
    reduction: Annotated[int, Field(ge=2)] = 3
    """One trial in this many goes on at each rung of `asha` and `hyperband`."""
    startup: Annotated[int, Field(ge=1)] = 10
    """Random trials before `tpe`, `gp` and `cmaes` model anything, and `median` stops anything."""
    storage: str | None = None
    """A team's PostgreSQL for the study, such as `postgresql://host/studies`; a file in the sweep's
    folder when left out."""
    grid_points: Annotated[int, Field(ge=2)] = 3
    """Points that `grid` takes from each range."""
