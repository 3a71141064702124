"""The ranks that train one model together: a rank's share of rows, and sums over all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """One rank's view of its gang. A gang of one needs no process group."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    def share(self, rows: np.ndarray) -> np.ndarray:
        """This rank's rows of a global batch: equal parts, the first ones longer by the rest."""
        return rows if self.size == 1 else np.array_split(rows, self.size)[self.rank]

    def add(self, tensor: Tensor) -> Tensor:
        """The sum over all ranks, the same on each, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def seed(self, seed: int) -> None:
        """Seeds what this rank draws from; `torch.manual_seed` visits all devices for 0.8 ms."""
        torch.default_generator.manual_seed(seed)
        if self.device.startswith("cuda"):
            torch.cuda.manual_seed(seed)
