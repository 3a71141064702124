"""Which steps of a padded batch are real, and how to walk them backwards.

B sequences in the batch, T steps with padding on the right, any trailing dimensions.
Everything here can be traced: no size or value becomes a Python number.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Steps:
    """The real steps of one padded batch."""

    valid_BT: Tensor
    """True where a step belongs to its sequence; nowhere in a row of length 0."""
    pooled_BT: Tensor
    """The valid steps, and the first, blank one of a row of length 0, to keep it finite."""
    lengths_B: Tensor
    """How many steps are pooled, at least 1."""
    _mirror_N: Tensor
    """For each of the B·T steps the flat index of its mirror image within the sequence."""

    @classmethod
    def of(cls, x_BTF: Tensor, lengths_B: Tensor) -> Steps:
        """Reads the steps off a padded batch and its lengths (int64, on the same device)."""
        num_sequences, num_steps = x_BTF.shape[0], x_BTF.shape[1]
        time_T = torch.arange(num_steps, device=lengths_B.device)
        valid_BT = time_T < lengths_B.unsqueeze(1)
        mirror_BT = torch.where(valid_BT, lengths_B.unsqueeze(1) - 1 - time_T, time_T)
        first_B = torch.arange(num_sequences, device=lengths_B.device) * num_steps
        pooled_B = lengths_B.clamp(min=1)
        return cls(
            valid_BT=valid_BT,
            pooled_BT=time_T < pooled_B.unsqueeze(1),
            lengths_B=pooled_B,
            _mirror_N=(mirror_BT + first_B.unsqueeze(1)).flatten(),
        )

    def reverse(self, x_BTF: Tensor) -> Tensor:
        """Each sequence reversed within its length, its padding left in place; its own inverse.

        Whole rows are copied by one flat index: on a CPU the gradient of the element-wise
        `gather` takes some fifty times as long.
        """
        flat_NF = x_BTF.flatten(0, 1).index_select(0, self._mirror_N)
        return flat_NF.view_as(x_BTF)

    def last(self, x_BTF: Tensor) -> Tensor:
        """Each sequence's last valid step, x_BF."""
        first_B = torch.arange(x_BTF.shape[0], device=x_BTF.device) * x_BTF.shape[1]
        return x_BTF.flatten(0, 1).index_select(0, first_B + self.lengths_B - 1)
