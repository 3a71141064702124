"""Strided convolutions in front of the recurrent layers: fewer steps, and lengths that follow.

B sequences, T steps, F features, E filters. Of a sequence alone and of one beside padding the same
steps remain: a layer of stride s leaves ⌈T / s⌉ of T, at every length.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tuner.models.shape import strided
from tuner.models.steps import Steps


class Subsampling(nn.Module):
    """(x_BTF, steps) → (h_BTE, steps), rectified; of every `stride` steps one remains.

    Args:
        inputs: features per step.
        filters: features per step that come out.
        stride: input steps for each that remains, 2 or more.
        size: steps of a kernel, odd.
    """

    def __init__(self, inputs: int, filters: int, stride: int, size: int) -> None:
        super().__init__()
        kernels = strided(stride, size)
        self.strides = [factor for factor, _ in kernels]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(
                filters if level else inputs, filters, width, stride=factor, padding=width // 2
            )
            for level, (factor, width) in enumerate(kernels)
        )

    def forward(self, x_BTF: Tensor, steps: Steps) -> tuple[Tensor, Steps]:
        """Convolves; padding counts as zeros, as what lies beyond a sequence alone does."""
        for stride, convolution in zip(self.strides, self.convolutions, strict=True):
            x_BTF = x_BTF.masked_fill(~steps.valid_BT.unsqueeze(-1), 0.0)
            x_BTF = convolution(x_BTF.transpose(1, 2)).relu().transpose(1, 2)
            kept_B = torch.div(steps.given_B + (stride - 1), stride, rounding_mode="floor")
            steps = Steps(x_BTF, kept_B)
        return x_BTF, steps
