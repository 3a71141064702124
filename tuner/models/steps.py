"""Which steps of a padded batch are real, and how to walk them backwards.

B sequences in the batch, T steps with padding on the right, any trailing dimensions.
Everything here can be traced: no size or value becomes a Python number.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor


class Steps:
    """The real steps of one padded batch; what a network does not ask for is never computed.

    Args:
        x_BTF: the batch.
        lengths_B: its lengths, int64, on the same device.
    """

    def __init__(self, x_BTF: Tensor, lengths_B: Tensor) -> None:
        self._num_sequences, self._num_steps = x_BTF.shape[0], x_BTF.shape[1]
        self.given_B = lengths_B
        """How many steps each row has, 0 among them."""

    @cached_property
    def valid_BT(self) -> Tensor:
        """True where a step belongs to its sequence; nowhere in a row of length 0."""
        return self._time_T < self.given_B.unsqueeze(1)

    @cached_property
    def pooled_BT(self) -> Tensor:
        """The valid steps, and the first, blank one of a row of length 0, to keep it finite."""
        return self._time_T < self.lengths_B.unsqueeze(1)

    @cached_property
    def lengths_B(self) -> Tensor:
        """How many steps are pooled, at least 1."""
        return self.given_B.clamp(min=1)

    @cached_property
    def empty_B1(self) -> Tensor:
        """True for a row without steps."""
        return self.given_B.unsqueeze(1) == 0

    @cached_property
    def _time_T(self) -> Tensor:
        return torch.arange(self._num_steps, device=self.given_B.device)

    @cached_property
    def _first_B(self) -> Tensor:
        """The flat index of each sequence's first step."""
        sequence_B = torch.arange(self._num_sequences, device=self.given_B.device)
        return sequence_B * self._num_steps

    @cached_property
    def _mirror_N(self) -> Tensor:
        """For each of the B·T steps the flat index of its mirror image within the sequence."""
        end_B1 = self.given_B.unsqueeze(1) - 1
        mirror_BT = torch.where(self.valid_BT, end_B1 - self._time_T, self._time_T)
        return (mirror_BT + self._first_B.unsqueeze(1)).flatten()

    def reverse(self, x_BTF: Tensor) -> Tensor:
        """Each sequence reversed within its length, its padding left in place; its own inverse.

        Whole rows are copied by one flat index: on a CPU the gradient of the element-wise
        `gather` takes some fifty times as long.
        """
        flat_NF = x_BTF.flatten(0, 1).index_select(0, self._mirror_N)
        return flat_NF.view_as(x_BTF)

    def last(self, x_BTF: Tensor) -> Tensor:
        """Each sequence's last valid step, x_BF.

        Recurrent layers give time first beneath a transposed view: flat the other way round, all
        steps would be copied.
        """
        place_B = torch.arange(-self._num_sequences, 0, device=x_BTF.device)
        place_B = place_B + self.lengths_B * self._num_sequences
        return x_BTF.transpose(0, 1).flatten(0, 1).index_select(0, place_B)
