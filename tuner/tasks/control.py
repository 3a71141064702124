"""Behaviour cloning: at each step of an episode the action that was taken, from all seen so far.

Where an environment is named, a model is also scored by what it earns there, its state going on
from step to step.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tuner.data.card import TaskData
from tuner.errors import Mistake
from tuner.part import Config as PartConfig
from tuner.tasks import _rollouts
from tuner.tasks._base import Facts, Task
from tuner.tasks._continuous_actions import Continuous
from tuner.tasks._discrete_actions import Discrete
from tuner.tasks._losses import ClassLossConfig as LossConfig

METRICS: dict[str, Literal["minimize", "maximize"]] = {
    "accuracy": "maximize",
    "loss": "minimize",
}
"""Metric → direction, of discrete actions; `metrics` tells of others."""

AUGMENTED = frozenset({"values"})

SHIPPED = True
"""What plays goes on from a state, which the platform knows of its own architectures."""

CAUSAL = True
"""What acts has seen nothing of what comes."""


class Config(PartConfig):
    """Options of the task."""

    name: Literal["control"] = "control"
    actions: Literal["discrete", "continuous"] = "discrete"
    """Whether `data/target` is a column of actions by name or number, or columns of numbers."""
    spread: bool = False
    """Learn how far each continuous action spreads, too, by the likelihood of a normal distribution
    instead of the squared error."""
    environment: str | None = None
    """A gymnasium environment in which models are scored by their return, such as CartPole-v1."""
    episodes: int = Field(default=20, ge=1)
    """Episodes that a model plays; the same for every trial."""
    observed: list[int] | None = None
    """Where each of `data/features` stands in the environment's observation, from 0; by default the
    features are the whole observation in its order."""

    @model_validator(mode="after")
    def _spreads_numbers(self) -> Config:
        if self.spread and self.actions == "discrete":
            raise ValueError("must have `actions: continuous` where `spread` is true")
        return self


class InputConfig(PartConfig):
    """How an episode becomes an input."""

    scaling: Literal["standard", "robust", "minmax", "none"] = "standard"
    """Of each observed number, fitted on the training rows."""


def data(options: Config) -> TaskData:
    """An action for each step."""
    return TaskData(kind="sequence", target="tags" if options.actions == "discrete" else "numbers")


def metrics(options: Config, targets: int | None) -> dict[str, Literal["minimize", "maximize"]]:
    """The return first, where an environment is named."""
    found = dict(METRICS)
    if options.actions == "continuous":
        found = {"mse": "minimize", "mae": "minimize"}
        found |= {"nll": "minimize"} if options.spread else {}
    return {"return": "maximize", **found} if options.environment else found


def refusals(options: Config) -> list[Mistake]:
    """What keeps a sweep's machine from playing."""
    if options.environment is None:
        return []
    found = _rollouts.missing() or _rollouts.unknown(options.environment)
    return [found] if found else []


def create(
    options: Config, inputs: InputConfig, facts: Facts, losses: LossConfig | None = None
) -> Task:
    """Makes the task for one data set."""
    kind = Discrete if options.actions == "discrete" else Continuous
    return kind(options, inputs, facts, losses or LossConfig(), list(metrics(options, None)))
