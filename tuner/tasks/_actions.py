"""Actions of whole episodes: what is shared by choices and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tuner.errors import DataError, Mistake
from tuner.models.shape import Shape
from tuner.plots.exhibits import Exhibit, Line, Lines
from tuner.tasks import _rollouts
from tuner.tasks._base import Batch, Facts, Policy, Run, Split
from tuner.tasks._inputs import SequenceInputs
from tuner.tasks._losses import ClassLossConfig
from tuner.tasks._sequences import SequenceTask

if TYPE_CHECKING:
    from tuner.data.store import Steps, Store
    from tuner.tasks.control import Config, InputConfig

_SHOWN = 2
"""Episodes whose actions are drawn."""


class Acting(SequenceTask):
    """A row is an episode, and each of its steps has an action.

    The statistics are sums of the errors that `names` tells of, the steps, those that broke, and,
    of play, the returns and the episodes.
    """

    TIMED = frozenset({"inputs", "targets", "weights"})
    per_step = True

    def __init__(
        self,
        options: Config,
        inputs: InputConfig,
        facts: Facts,
        losses: ClassLossConfig,
        names: Sequence[str],
    ) -> None:
        super().__init__(SequenceInputs(scaling=inputs.scaling), facts)
        self.options, self.losses = options, losses
        self.plays = options.environment is not None
        self.names = tuple(names)

    @property
    def shape(self) -> Shape:
        return replace(super().shape, looks_back=True)

    def count(self, steps: Steps, rows: np.ndarray) -> int:
        return int(steps.length_S[rows].sum())

    def played(self, policy: Policy, split: Split) -> np.ndarray:
        def choose(x_BI: np.ndarray, alive_B: np.ndarray, state: Any) -> tuple[list[Any], Any]:
            x_B1I = self.reader.scaled(x_BI)[:, None]
            y_B1O, after = policy(x_B1I, alive_B.astype(np.int64), state)
            return self.acts(y_B1O[:, 0]), after

        return self._earned(choose, split)

    def acts(self, y_BO: np.ndarray) -> list[Any]:
        """The action of each row of outputs, as its environment takes it."""
        raise NotImplementedError

    def _earned(self, choose: _rollouts.Choose, split: Split) -> np.ndarray:
        """The sums behind the return, in their places among the statistics."""
        options = self.options
        assert options.environment is not None
        self._refuse_other_inputs(options.environment)
        found = _rollouts.returns(
            options.environment, choose, options.episodes, split, options.observed
        )
        sums = np.zeros(self._num_sums)
        sums[-2:] = found.sum(), len(found)
        return sums

    @property
    def _num_sums(self) -> int:
        """Numbers in the statistics: of actions, of steps, of those that broke; then of play."""
        return len(self.names) - self.plays + 2 + 2

    def metrics(self, statistics: Sequence[float]) -> dict[str, float]:
        *sums, count, broken, earned, episodes = statistics
        if broken or not count:
            return dict.fromkeys(self.names, float("nan"))
        found = {} if not self.plays else {"return": earned / max(episodes, 1)}
        means = (each / count for each in sums)
        return found | dict(zip(self.names[self.plays :], means, strict=True))

    def _refuse_other_inputs(self, environment: str) -> None:
        num, places = len(self.facts.features), self.options.observed
        size = _rollouts.num_observed(environment)
        told = f"{num} features and {len(places)} places" if places else f"{num} features"
        wrong = num != (size if places is None else len(places))
        if not wrong and not any(not 0 <= place < size for place in places or ()):
            return
        raise DataError(
            Mistake(
                code="task/observed",
                rule=f"`task/observed` must say where each feature stands among the {size} numbers "
                f"that {environment} tells",
                where="task/observed",
                got=told if wrong else f"the places {places}",
                fix="Give a place from 0 for each of `data/features`, in their order.",
            )
        )

    def exhibits(self, store: Store, rows: np.ndarray, run: Run) -> dict[str, Exhibit]:
        """The actions of some episodes, and what the model would have done."""
        found: dict[str, Exhibit] = {}
        for number, row in enumerate(rows[:_SHOWN], 1):
            batch = self.batch(store, np.array([row]))
            outputs = run(batch, None)[0]
            steps = tuple(float(t + 1) for t in range(int(batch.lengths[0])))
            taken_T, said_T = self._drawn(batch, outputs)
            found[f"actions-{number}"] = Lines(
                about=f"The actions of {store.ids[int(row)]}, and those of the model.",
                x_label="step",
                y_label="action",
                lines=(
                    Line(name="taken", x=steps, y=tuple(map(float, taken_T))),
                    Line(name="model", x=steps, y=tuple(map(float, said_T))),
                ),
            )
        return found

    def _drawn(self, batch: Batch, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Actions of the first row, taken and chosen, as numbers."""
        raise NotImplementedError

    def _step_columns(self, steps: Steps, rows: np.ndarray) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {"id": [], "step": []}
        for row in rows:
            length = int(steps.length_S[row])
            columns["id"] += [steps.ids[row]] * length
            columns["step"] += range(1, length + 1)
        return columns
