"""The second input: what a network makes of it, and where it joins the sequence.

B sequences   X numbers and pixels   S numbers that are made of them
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from tuner.models.fusion import Gated, Late, beside
from tuner.models.fusion_size import said
from tuner.models.pictures import Pictures
from tuner.models.shape import Side

if TYPE_CHECKING:
    from tuner.models.architectures.recurrent import RecurrentConfig


class SideInput(nn.Module):
    """side_BX → s_BS: the numbers as they are, and of a picture the mean of its patches.

    Averaging over all places (Lin et al., 2014) keeps what a picture says apart from its size.

    Args:
        side: what there is of it.
        config: `fusion`, and the layers and filters of a picture.
        sequence: units of the vector that it is joined with before the head.
    """

    def __init__(self, side: Side, config: RecurrentConfig, *, sequence: int) -> None:
        super().__init__()
        self.numbers, self.is_early = side.numbers, config.fusion == "early"
        self.pictures: Pictures | None = None
        if side.picture:
            layers, filters = config.picture_layers, config.convolution_filters
            self.pictures = Pictures(side.picture, layers, filters)
        self.fusion: Late | Gated | None = None
        if not self.is_early:
            sizes = sequence, said(config, side), config.joined_size
            self.fusion = Gated(*sizes) if config.fusion == "gated" else Late(*sizes)

    def forward(self, side_BX: Tensor) -> Tensor:
        """What is said beside each sequence."""
        if self.pictures is None:
            return side_BX
        seen_BF = self.pictures.patches(side_BX[:, self.numbers :]).mean(dim=1)
        return beside(seen_BF, side_BX[:, : self.numbers])

    def before_layers(self, x_BTF: Tensor, s_BS: Tensor) -> Tensor:
        """What the first layer reads, with early fusion more at each step."""
        return beside(x_BTF, s_BS) if self.is_early else x_BTF

    def before_head(self, h: Tensor, s_BS: Tensor) -> Tensor:
        """What the head reads, of each sequence or step; with early fusion as it was."""
        return h if self.fusion is None else self.fusion(h, s_BS)
