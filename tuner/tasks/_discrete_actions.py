"""Actions that are choices: a class at each step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tuner.tasks import _rollouts
from tuner.tasks._actions import Acting
from tuner.tasks._base import Batch, Facts, Outputs, Split
from tuner.tasks._losses import ClassLossConfig, class_losses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from tuner.data.store import Steps, Store
    from tuner.tasks.control import Config, InputConfig


class Discrete(Acting):
    """Cross-entropy over actions."""

    def __init__(
        self,
        options: Config,
        inputs: InputConfig,
        facts: Facts,
        losses: ClassLossConfig,
        names: Sequence[str],
    ) -> None:
        super().__init__(options, inputs, facts, losses, names)
        self.num_outputs = len(facts.labels)

    def acts(self, y_BO: np.ndarray) -> list[Any]:
        return [self.facts.labels[action] for action in y_BO.argmax(axis=1)]

    def batch(self, steps: Steps, rows: np.ndarray) -> Batch:
        inputs, lengths_B, index_BT = self.reader.cut(steps, rows)
        action_BT = np.full(index_BT.shape, -1, dtype=np.int64)
        if steps.tag_N is not None:
            action_BT = np.where(index_BT >= 0, steps.tag_N[index_BT], -1)
        return Batch(
            inputs=inputs,
            lengths=lengths_B,
            targets=np.maximum(action_BT, 0).astype(np.int64),
            weights=(action_BT >= 0).astype(np.float32),
        )

    def loss(self, outputs: Outputs, batch: Batch) -> Tensor:
        total: Tensor = (class_losses(outputs, batch.targets, self.losses) * batch.weights).sum()
        return total

    def statistics(self, outputs: Outputs, batch: Batch) -> Tensor:
        import torch

        weights_BT = batch.weights.double()
        right_BT = outputs.argmax(dim=-1) == batch.targets
        loss_BT = class_losses(outputs, batch.targets, ClassLossConfig())
        broken_BT = (~torch.isfinite(outputs)).any(dim=-1) & (weights_BT > 0)
        parts = [right_BT * weights_BT, loss_BT * weights_BT, weights_BT, broken_BT.double()]
        sums = torch.stack([part.sum() for part in parts])
        return torch.cat([sums, sums.new_zeros(2)])

    def baselines(
        self, store: Store, split: Split, fold: int | None
    ) -> dict[str, dict[str, float]]:
        """The action that training steps hold most often, and any."""
        assert store.tag_N is not None
        train, scored = (self._actions(store, part, fold) for part in ("train", split))
        num = self.num_outputs
        count_O = np.bincount(train, minlength=num)
        usual = int(count_O.argmax())
        share_O = (count_O + 1) / (count_O.sum() + num)
        loss = -float(np.log(share_O[scored]).sum())
        sums = {"most frequent action": [float((scored == usual).sum()), loss]}
        sums["random actions"] = [len(scored) / num, len(scored) * math.log(num)]
        action = self.facts.labels[usual]
        policies: dict[str, _rollouts.Choose] = {
            "most frequent action": lambda x, alive, state: ([action] * len(alive), None)
        }
        if self.options.environment is not None:
            environment = self.options.environment
            policies["random actions"] = _rollouts.random_actions(environment, seed=0)
        found = {}
        for name, each in sums.items():
            whole = np.array([*each, len(scored), 0.0, 0.0, 0.0])
            if self.plays:
                whole += self._earned(policies[name], split)
            found[name] = self.metrics(whole.tolist())
        return found

    def _actions(self, store: Store, split: str, fold: int | None) -> np.ndarray:
        assert store.tag_N is not None
        mine_S = np.zeros(len(store.length_S), dtype=bool)
        mine_S[self.rows(store, split, fold)] = True  # type: ignore[arg-type]
        actions: np.ndarray = store.tag_N[np.repeat(mine_S, store.length_S)]
        return actions

    def is_labelled(self, steps: Steps) -> bool:
        return not self.plays and steps.tag_N is not None and bool((steps.tag_N >= 0).all())

    def decode(
        self, steps: Steps, rows: np.ndarray, outputs: Outputs, batch: Batch
    ) -> dict[str, list[Any]]:
        """One line per step: its episode, its place, and the action."""
        columns = self._step_columns(steps, rows)
        chosen_BT = outputs.argmax(axis=-1)
        lengths = steps.length_S[rows]
        columns["action"] = [
            self.facts.labels[action]
            for chosen_T, length in zip(chosen_BT, lengths, strict=True)
            for action in chosen_T[:length]
        ]
        return columns

    def _drawn(self, batch: Batch, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return batch.targets[0], outputs[0].argmax(axis=-1)
