"""What a network is told besides its own configuration; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.part import Config


@dataclass(frozen=True)
class Shape:
    """What comes in and what goes out, as the data and the task ask for it."""

    inputs: int
    """Features per step."""
    outputs: int
    """Numbers per sequence."""

    def __post_init__(self) -> None:
        if self.inputs < 1 or self.outputs < 1:
            raise ValueError(f"a network needs inputs and outputs of at least 1; got {self}")


@dataclass(frozen=True, kw_only=True)
class Dropouts:
    """Probabilities in [0, 1) of dropping a unit in training."""

    dropout: float = 0.0
    """Between layers and before the head (Zaremba et al., 2014)."""
    input_dropout: float = 0.0
    """Of the inputs, feature by feature and step by step."""


class ArchitectureConfig(Config):
    """What every architecture's configuration has: the name that finds its code."""

    name: str
    """A shipped architecture, or `package.module:ClassName` of one's own."""
