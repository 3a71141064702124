"""Actions that are numbers: one or some at each step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tuner.tasks import _rollouts
from tuner.tasks._actions import Acting
from tuner.tasks._base import Batch, Facts, Outputs, Split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tuner.data.store import Steps, Store
    from tuner.tasks._losses import ClassLossConfig
    from tuner.tasks.control import Config, InputConfig

_LOGS = 10.0
"""Largest logarithm of a variance, either way."""


class Continuous(Acting):
    """The squared error of actions in their training deviations, or their normal likelihood.

    With `spread` the outputs are the means of all actions, then the logarithms of their variances.
    """

    def __init__(
        self,
        options: Config,
        inputs: InputConfig,
        facts: Facts,
        losses: ClassLossConfig,
        names: Sequence[str],
    ) -> None:
        super().__init__(options, inputs, facts, losses, names)
        statistics = facts.statistics
        self._mean_A = np.asarray(statistics.target_mean, dtype=np.float32)
        self._std_A = np.asarray(statistics.target_std, dtype=np.float32)
        self._num = len(facts.targets)
        self.num_outputs = self._num * (1 + options.spread)

    def acts(self, y_BO: np.ndarray) -> list[Any]:
        return list(y_BO[:, : self._num] * self._std_A + self._mean_A)

    def batch(self, steps: Steps, rows: np.ndarray) -> Batch:
        inputs, lengths_B, index_BT = self.reader.cut(steps, rows)
        valid_BT: np.ndarray = index_BT >= 0
        shape = (*index_BT.shape, self._num)
        action_BTA = np.full(shape, np.nan, dtype=np.float32)
        if steps.number_NC is not None:
            action_BTA[valid_BT] = steps.number_NC[index_BT[valid_BT]]
        known_BT: np.ndarray = np.all(np.isfinite(action_BTA), axis=-1)
        scaled_BTA = (np.nan_to_num(action_BTA) - self._mean_A) / self._std_A
        return Batch(
            inputs=inputs,
            lengths=lengths_B,
            targets=np.where(known_BT[..., None], scaled_BTA, np.float32(0)).astype(np.float32),
            weights=known_BT.astype(np.float32),
        )

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        squares_BT, _, nll_BT = self._errors(outputs, batch.targets)
        losses_BT = squares_BT if nll_BT is None else nll_BT
        total: Tensor = (losses_BT * batch.weights).sum()
        return total

    def statistics(self, outputs: Outputs, batch: Batch) -> Tensor:
        import torch

        weights_BT = batch.weights.double()
        errors = [e for e in self._errors(outputs.double(), batch.targets) if e is not None]
        broken_BT = (~torch.isfinite(outputs)).any(dim=-1) & (weights_BT > 0)
        parts = [*(error * weights_BT for error in errors), weights_BT, broken_BT.double()]
        sums = torch.stack([part.sum() for part in parts])
        return torch.cat([sums, sums.new_zeros(2)])

    def _errors(self, y_BTO: Tensor, action_BTA: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Squares, sizes and, with `spread`, improbability of each step's errors: means over its
        actions."""
        error_BTA = y_BTO[..., : self._num] - action_BTA
        squares_BT, sizes_BT = error_BTA.square().mean(dim=-1), error_BTA.abs().mean(dim=-1)
        if not self.options.spread:
            return squares_BT, sizes_BT, None
        log_BTA = y_BTO[..., self._num :].clamp(-_LOGS, _LOGS)
        nll_BTA = (log_BTA + error_BTA.square() * (-log_BTA).exp() + math.log(2 * math.pi)) / 2
        return squares_BT, sizes_BT, nll_BTA.mean(dim=-1)

    def baselines(
        self, store: Store, split: Split, fold: int | None
    ) -> dict[str, dict[str, float]]:
        """The mean of the training actions; and any action, where an environment says which."""
        assert store.number_NC is not None
        mine_S = np.zeros(len(store.length_S), dtype=bool)
        mine_S[self.rows(store, split, fold)] = True
        action_NA = store.number_NC[np.repeat(mine_S, store.length_S)]
        mean_A, environment = self._mean_A, self.options.environment
        policies: dict[str, _rollouts.Choose] = {
            "mean action": lambda x, alive, state: ([mean_A] * len(alive), None)
        }
        if environment is not None:
            policies["random actions"] = _rollouts.random_actions(environment, seed=0)
        found = {}
        for name, choose in policies.items():
            chosen, _ = choose(action_NA, np.ones(len(action_NA), dtype=bool), None)
            error_NA = (action_NA - np.reshape(chosen, action_NA.shape)) / self._std_A
            squares, sizes = (error_NA**2).mean(1).sum(), np.abs(error_NA).mean(1).sum()
            count = len(error_NA)
            # The deviation of training actions is 1.
            nll = [(squares + count * math.log(2 * math.pi)) / 2] * self.options.spread
            whole = np.array([squares, sizes, *nll, count, 0.0, 0.0, 0.0])
            if self.plays:
                whole += self._earned(choose, split)
            found[name] = self.metrics(whole.tolist())
        return found

    def is_labelled(self, steps: Steps) -> bool:
        numbers_NC = steps.number_NC
        return not self.plays and numbers_NC is not None and bool(np.isfinite(numbers_NC).all())

    def decode(
        self, steps: Steps, rows: np.ndarray, outputs: Outputs, batch: Batch
    ) -> dict[str, list[Any]]:
        """One line per step: its episode, its place, and the actions in their own units."""
        columns = self._step_columns(steps, rows)
        valid_BT = np.arange(outputs.shape[1]) < steps.length_S[rows][:, None]
        y_NO = outputs[valid_BT]
        action_NA = y_NO[:, : self._num] * self._std_A + self._mean_A
        for a, name in enumerate(self.facts.targets):
            columns[name] = action_NA[:, a].tolist()
            if self.options.spread:
                half_N = np.clip(y_NO[:, self._num + a], -_LOGS, _LOGS) / 2
                columns[f"{name} deviation"] = (np.exp(half_N) * self._std_A[a]).tolist()
        return columns

    def _drawn(self, batch: Batch, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return batch.targets[0, :, 0], outputs[0, :, 0]
