"""A convolution over time in front of the recurrent layers that never sees padding.

B sequences, T steps, F features, E filters, W steps of the kernel.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tuner.models.steps import Steps


class Convolution(nn.Module):
    """(x_BTF, steps, context or None) → (h_BTE, context), rectified, as many steps as before.

    Args:
        inputs: features per step.
        filters: features per step that come out.
        size: steps of the kernel, odd.
        causal: a step sees the `size` - 1 before it, which a context carries from batch to batch,
            instead of as many around it. The context is x_CBF, its batch second as in all states.
    """

    def __init__(self, inputs: int, filters: int, size: int, *, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.reach = size - 1
        around = 0 if causal else self.reach // 2
        self.convolution = nn.Conv1d(inputs, filters, size, padding=around)

    @property
    def sees_ahead(self) -> bool:
        """Whether a step reads later ones."""
        return self.reach > 0 and not self.causal

    def forward(
        self, x_BTF: Tensor, steps: Steps, context_CBF: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Convolves; padding counts as zeros, as what lies beyond a sequence alone does."""
        if not self.causal:
            # Of its own accord the last steps would see it.
            x_BTF = x_BTF.masked_fill(~steps.valid_BT.unsqueeze(-1), 0.0)
        else:
            if context_CBF is None:
                context_CBF = x_BTF.new_zeros(self.reach, x_BTF.shape[0], x_BTF.shape[2])
            x_BTF = torch.cat([context_CBF.transpose(0, 1), x_BTF], dim=1)
            context_CBF = x_BTF[:, x_BTF.shape[1] - self.reach :].transpose(0, 1)
        h_BET = self.convolution(x_BTF.transpose(1, 2)).relu()
        return h_BET.transpose(1, 2), context_CBF
