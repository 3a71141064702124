"""Weights that are scored and kept are not those that are trained: running means of them.

A mean counts every floating number of a module's state. The running statistics of batch norms are
averaged with the weights whose outputs they describe.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from tuner import registry
from tuner.config import TrialConfig


class Average(ABC):
    """A mean of a module's weights over the steps of its training."""

    def __init__(self, module: nn.Module) -> None:
        state = module.state_dict()
        self._trained = {name: t for name, t in state.items() if t.is_floating_point()}
        """The module's own tensors, which a step changes in place."""
        self._means: dict[str, Tensor] = {}
        self._steps = 0

    @abstractmethod
    def begun(self, progress: float, values: Sequence[float]) -> bool:
        """Whether the next step counts; from its arguments alone, so that resuming repeats it."""

    @abstractmethod
    def share(self, steps: int) -> float:
        """What the newest of so many steps adds to the mean; 1 for the first."""

    def add(self) -> None:
        """Counts the weights as they are after a step."""
        self._steps += 1
        if self._means:
            means, trained = list(self._means.values()), list(self._trained.values())
            torch._foreach_lerp_(means, trained, self.share(self._steps))
        else:
            self._means = {name: tensor.clone() for name, tensor in self._trained.items()}

    @contextmanager
    def scored(self) -> Iterator[None]:
        """Puts the means into the module, and what is trained back afterwards."""
        if not self._means:
            yield
            return
        trained, means = list(self._trained.values()), list(self._means.values())
        kept = [tensor.clone() for tensor in trained]
        torch._foreach_copy_(trained, means)
        try:
            yield
        finally:
            torch._foreach_copy_(trained, kept)

    def tensors(self) -> dict[str, Tensor]:
        """The means and how many steps they hold; none before the first."""
        if not self._means:
            return {}
        found = {f"means/{name}": tensor for name, tensor in self._means.items()}
        return found | {"steps": torch.tensor(self._steps)}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """The reverse of `tensors`."""
        self._steps = int(tensors["steps"]) if tensors else 0
        if tensors:
            self._means = {
                name: tensors[f"means/{name}"].to(tensor.device)
                for name, tensor in self._trained.items()
            }


class Exponential(Average):
    """Decays by the step (Polyak and Juditsky, 1992, forgetting). Divided by the weight that it
    has handed out so far, as Adam's means are, it owes nothing to the initial weights."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        super().__init__(module)
        self._decay = decay

    def begun(self, progress: float, values: Sequence[float]) -> bool:
        return True

    def share(self, steps: int) -> float:
        share: float = (1 - self._decay) / (1 - self._decay**steps)
        return share


class Plain(Average):
    """Every step since the beginning alike; the optimizer's part says when that is."""

    def __init__(self, module: nn.Module, part: Any, config: Any) -> None:
        super().__init__(module)
        self._part, self._config = part, config

    def begun(self, progress: float, values: Sequence[float]) -> bool:
        begun: bool = self._part.averages(self._config, progress, values)
        return begun

    def share(self, steps: int) -> float:
        return 1 / steps


def average(config: TrialConfig, module: nn.Module) -> Average | None:
    """The mean that a trial asks for; None where what is trained is scored."""
    if config.training.ema:
        return Exponential(module, config.training.ema)
    part = registry.get("optimizers", config.optimizer.name)
    return Plain(module, part, config.optimizer) if hasattr(part, "averages") else None
