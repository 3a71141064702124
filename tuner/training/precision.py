"""Which numbers a training step computes with (Micikevicius et al., 2018).

Weights, their gradients, losses and validation are float32 at every precision: scores of two
precisions compare, and an exported model is the one that was scored.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from torch import Tensor

PrecisionName = Literal["float32", "bfloat16", "float16"]


class Precision:
    """The forward pass under autocast, and the scaling that float16's gradients need."""

    def __init__(self, name: PrecisionName, device: str) -> None:
        self._device = device.partition(":")[0]
        self._dtype = None if name == "float32" else getattr(torch, name)
        self.scaler = torch.amp.GradScaler(self._device, enabled=name == "float16")

    def forward(self) -> AbstractContextManager[object]:
        """Encloses a forward pass of training."""
        if self._dtype is None:
            return nullcontext()
        return torch.autocast(self._device, dtype=self._dtype)

    def full(self, outputs: Any) -> Any:
        """What a model gave, in float32: a tensor, or several."""
        if self._dtype is None:
            return outputs
        if isinstance(outputs, torch.Tensor):
            return outputs.float()
        return type(outputs)(self.full(part) for part in outputs)

    def tensors(self) -> dict[str, Tensor]:
        """The state of the scaling; empty without one."""
        state = self.scaler.state_dict()
        whole = {"growth_interval", "_growth_tracker"}
        return {
            name: torch.tensor(value, dtype=torch.int64 if name in whole else torch.float64)
            for name, value in state.items()
        }

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """The reverse of `tensors`."""
        self.scaler.load_state_dict({name: value.item() for name, value in tensors.items()})
