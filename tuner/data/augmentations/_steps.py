"""Sequences read at other moments than their own steps.

B rows   T steps   F features   L steps read
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tuner.tasks._base import Batch


def valid(lengths_B: Tensor, num_steps: int) -> Tensor:
    """valid_BT1: whether a step is one of its row."""
    steps_T = torch.arange(num_steps, device=lengths_B.device)
    return (steps_T < lengths_B[:, None])[:, :, None]


def read(x_BTF: Tensor, moments_BL: Tensor, lengths_B: Tensor) -> Tensor:
    """Values at moments between steps, each a mean of the two beside it; 0 beyond a length.

    Args:
        moments_BL: counted in steps from 0, at most a row's last step.
        lengths_B: of what is read.
    """
    before_BL = moments_BL.floor().long()
    after_BL = moments_BL.ceil().long().clamp_max(x_BTF.shape[1] - 1)
    share_BL1 = (moments_BL - before_BL).unsqueeze(-1)
    x_BLF = (1 - share_BL1) * taken(x_BTF, before_BL) + share_BL1 * taken(x_BTF, after_BL)
    return torch.where(valid(lengths_B, x_BLF.shape[1]), x_BLF, 0.0)


def taken(x_BTF: Tensor, steps_BL: Tensor) -> Tensor:
    """The given steps of each row."""
    return x_BTF.gather(1, steps_BL[:, :, None].expand(-1, -1, x_BTF.shape[2]))


def stretched(x_BTF: Tensor, lengths_B: Tensor, wanted_B: Tensor, num_steps: int) -> Tensor:
    """x_BLF: every row at another length, first and last step kept, padded to `num_steps`."""
    scale_B = (lengths_B - 1).clamp_min(0) / (wanted_B - 1).clamp_min(1)
    steps_L = torch.arange(num_steps, device=x_BTF.device)
    last_B1 = (lengths_B - 1).clamp_min(0)[:, None]
    moments_BL = (steps_L * scale_B[:, None]).minimum(last_B1)
    return read(x_BTF, moments_BL, wanted_B)


def of_length(batch: Batch, x_BTF: Tensor, lengths_B: Tensor) -> Batch:
    """A batch with other inputs; its arrays may be shared with others, and are left alone."""
    return replace(batch, inputs=x_BTF, lengths=lengths_B)
