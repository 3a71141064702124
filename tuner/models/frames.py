"""A convolutional encoder of each frame of a clip (LRCN; Donahue et al., 2015).

B clips   T steps   X numbers of a step   H rows   W columns   C channels   P patches   F filters
"""

from __future__ import annotations

from torch import Tensor, nn

from tuner.models.pictures import Pictures
from tuner.models.steps import Steps


class Frames(nn.Module):
    """Frames: (x_BTX, steps) → x_BTF, the patches of each step's frame side by side, of which
    nothing is pooled: where something lies is what moves.

    Args:
        frame: H, W and C; X is their product, or a multiple of it where steps hold several frames.
        layers: of the encoder, see `Pictures`.
        filters: of each.
    """

    def __init__(self, frame: tuple[int, int, int], layers: int, filters: int) -> None:
        super().__init__()
        self.frame = frame
        self.encoder = Pictures(frame, layers, filters)

    def forward(self, x_BTX: Tensor, steps: Steps) -> Tensor:
        """Frames do not see one another, so that padding, whatever it holds, becomes zeros."""
        height, width, channels = self.frame
        patches_NPF = self.encoder.patches(x_BTX.reshape(-1, height, width * channels))
        x_BTF = patches_NPF.reshape(x_BTX.shape[0], x_BTX.shape[1], -1)
        return x_BTF.masked_fill(~steps.valid_BT.unsqueeze(-1), 0)
