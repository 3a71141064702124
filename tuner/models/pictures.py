"""A small convolutional encoder: a picture's rows of pixels to steps that a recurrent layer reads.

B pictures   H rows   W columns   C channels   F filters
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tuner.models.picture_size import reduced


class Pictures(nn.Module):
    """(x_BHX, lengths_B) → x_BTF, lengths_B: the patches of a picture, row by row, for the W·C
    numbers X of each row of pixels.

    Each layer looks at 3 by 3 places and halves height and width.

    Args:
        picture: H, W and C.
        layers: that are stacked.
        filters: F of each.
    """

    def __init__(self, picture: tuple[int, int, int], layers: int, filters: int) -> None:
        super().__init__()
        self.picture = picture
        self.num_steps = reduced(picture[0], layers) * reduced(picture[1], layers)
        sizes = [picture[2], *[filters] * layers]
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, kernel_size=3, stride=2, padding=1)
            for a, b in zip(sizes, sizes[1:], strict=False)
        )

    def forward(self, x_BHX: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor]:
        """All pictures have one size; a row that only keeps a rank in step stays without steps."""
        return self.patches(x_BHX), lengths_B.clamp(max=1) * self.num_steps

    def patches(self, x_BP: Tensor) -> Tensor:
        """x_BTF of all pixels of each picture, in rows or not."""
        height, width, channels = self.picture
        x_BCHW = x_BP.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        for layer in self.layers:
            x_BCHW = torch.relu(layer(x_BCHW))
        return x_BCHW.flatten(2).transpose(1, 2)
