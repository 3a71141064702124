"""The `search` section of a spec."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tuner.part import Config

Sampler = Literal["random", "grid", "tpe", "gp", "cmaes", "nsga2", "qmc"]
Scheduler = Literal["none", "asha", "hyperband", "median"]


class SearchConfig(Config):
    """How a sweep searches: what it optimises, who proposes, who stops, and for how long."""

    metric: str | None = None
    """The validation metric that ranks trials; the task's own when left out."""
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
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Decides every suggestion, together with the results told."""
    grace: Annotated[int, Field(ge=1)] = 1
    """Epochs that every trial may train before it can be stopped."""
    reduction: Annotated[int, Field(ge=2)] = 3
    """One trial in this many goes on at each rung of `asha` and `hyperband`."""
    startup: Annotated[int, Field(ge=1)] = 10
    """Random trials before `tpe`, `gp` and `cmaes` model anything, and `median` stops anything."""
    grid_points: Annotated[int, Field(ge=2)] = 3
    """Points that `grid` takes from each range."""
