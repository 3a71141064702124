"""Who ends a trial early: rules over best-so-far values at fixed epochs, the rungs.

Best-so-far, because one unlucky epoch at a rung says nothing about what a trial has reached. A
trial that ended by itself stands with its best at all later rungs: early stopping must not make
room for worse ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Protocol

from tuner.search.config import Scheduler, SearchConfig


class Rule(Protocol):
    """What every scheduler does. Losses are signed so that lower is better."""

    def rungs(self, number: int) -> tuple[int, ...]:
        """The epochs at which this trial is judged, ascending, all before its last."""

    def report(self, number: int, epoch: int, loss: float) -> bool:
        """Notes a trial's best loss at one of its rungs; returns whether to stop it."""

    def ended(self, number: int, loss: float) -> None:
        """Notes the best loss of a trial that ended by itself at its remaining rungs."""


def make(config: SearchConfig, max_epochs: int) -> Rule:
    """The scheduler that a spec names, for trials of at most so many epochs."""
    return RULES[config.scheduler](config, max_epochs)


class Never:
    """Every trial trains to the end of its budget."""

    def __init__(self, config: SearchConfig, max_epochs: int) -> None:
        pass

    def rungs(self, number: int) -> tuple[int, ...]:
        """None."""
        return ()

    def report(self, number: int, epoch: int, loss: float) -> bool:
        """Goes on."""
        return False

    def ended(self, number: int, loss: float) -> None:
        """Nothing to note."""


class Hyperband:
    """Asynchronous successive halving in several brackets, from hasty to patient.

    Bracket s judges first at grace · reduction^s, and takes a share of the trials that gives each
    bracket the same total budget. Li et al., Hyperband (2018), with the asynchronous rule of
    Li et al., A System for Massively Parallel Hyperparameter Tuning (2020).
    """

    num_brackets: int | None = None
    """Brackets in use; None takes as many as there are rungs, and one that never stops."""

    def __init__(self, config: SearchConfig, max_epochs: int) -> None:
        self.reduction = config.reduction
        epochs = []
        epoch = config.grace
        while epoch < max_epochs:
            epochs.append(epoch)
            epoch *= config.reduction
        brackets = len(epochs) + 1 if self.num_brackets is None else self.num_brackets
        self.brackets = [tuple(epochs[skipped:]) for skipped in range(brackets)]
        self.losses = [{epoch: _Rung() for epoch in rungs} for rungs in self.brackets]
        # Trials per unit of budget fall by `reduction` with each rung that a bracket leaves out,
        # and its trials climb one rung less.
        weights = [self.reduction**-s / (brackets - s) for s in range(brackets)]
        self.shares = [sum(weights[: s + 1]) / sum(weights) for s in range(brackets)]

    def bracket(self, number: int) -> int:
        """The bracket of a trial: fixed by its number, and evenly mixed over time."""
        place = _radical_inverse(number)
        return next(s for s, share in enumerate(self.shares) if place < share or share >= 1 - 1e-9)

    def rungs(self, number: int) -> tuple[int, ...]:
        """Powers of `reduction` times `grace`, those below the bracket's first left out."""
        return self.brackets[self.bracket(number)]

    def report(self, number: int, epoch: int, loss: float) -> bool:
        """Stops what is not among the best 1/reduction of the bracket's trials at this rung."""
        rung = self.losses[self.bracket(number)][epoch]
        rung.losses[number] = loss
        return rung.num_better(loss) >= max(1, len(rung.losses) // self.reduction)

    def ended(self, number: int, loss: float) -> None:
        """Notes the loss at the rungs not reached."""
        for rung in self.losses[self.bracket(number)].values():
            rung.losses.setdefault(number, loss)


class Asha(Hyperband):
    """Asynchronous successive halving in one bracket, Li et al. (2020), stopping variant."""

    num_brackets = 1


class Median:
    """Stops a trial that is worse than the median of those that were judged at the same epoch.

    The rule of Golovin et al., Google Vizier (2017), over best-so-far values; some twenty epochs
    are judged, and none before `startup` trials have got there.
    """

    def __init__(self, config: SearchConfig, max_epochs: int) -> None:
        self.startup = config.startup
        step = max(1, max_epochs // 20)
        self.losses = {epoch: _Rung() for epoch in range(config.grace, max_epochs, step)}

    def rungs(self, number: int) -> tuple[int, ...]:
        """Evenly spaced from `grace` on."""
        return tuple(self.losses)

    def report(self, number: int, epoch: int, loss: float) -> bool:
        """Compares with the others at this epoch."""
        losses = self.losses[epoch].losses
        losses[number] = loss
        others = [other for n, other in losses.items() if n != number]
        return len(others) >= self.startup and loss > median(others)

    def ended(self, number: int, loss: float) -> None:
        """Notes the loss at the epochs not reached."""
        for rung in self.losses.values():
            rung.losses.setdefault(number, loss)


@dataclass
class _Rung:
    """The losses that trials had when they were judged here."""

    losses: dict[int, float]

    def __init__(self) -> None:
        self.losses = {}

    def num_better(self, loss: float) -> int:
        return sum(other < loss for other in self.losses.values())


def _radical_inverse(number: int) -> float:
    """Van der Corput's sequence: 0, 1/2, 1/4, 3/4, …, any stretch of which is even."""
    place, weight = 0.0, 0.5
    while number:
        number, bit = divmod(number, 2)
        place += bit * weight
        weight /= 2
    return place


RULES: dict[Scheduler, type[Never] | type[Hyperband] | type[Median]] = {
    "none": Never,
    "asha": Asha,
    "hyperband": Hyperband,
    "median": Median,
}
