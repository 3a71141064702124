"""The network that gives frames for a sequence, such as those of speech for a text.

B sequences   T steps   U frames   M bands of a frame   O numbers of one: bands, and an end
L frames of the longest answer
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tuner.frames import unrolled
from tuner.models.frame_decoder import FrameDecoder
from tuner.models.two_parts import Encoded, TwoParts


class Synthesizer(TwoParts):
    """(x, lengths_B, frames_BUM) → y_BUO in training, each frame given after the true ones.

    Otherwise → (y_BUO, given_BLM, lengths_B): the same, and the frames that are given freely, each
    after those given before, padded with 0.
    """

    decoder: FrameDecoder
    most = 1
    """Frames after which what is given freely ends in any case."""

    def forward(
        self, x: Tensor, lengths_B: Tensor, frames_BUM: Tensor
    ) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """Gives frames of each sequence."""
        encoded = self.encode(x, lengths_B)
        y_BUO, _ = self.decoder.forced(frames_BUM, encoded.kept, encoded.seen_BT, encoded.state)
        return y_BUO if self.training else (y_BUO, *self._given(encoded))

    def weights(self, x: Tensor, lengths_B: Tensor, frames_BUM: Tensor) -> Tensor:
        """weight_BST: which steps are looked at at each step of the decoder."""
        encoded = self.encode(x, lengths_B)
        return self.decoder.forced(frames_BUM, encoded.kept, encoded.seen_BT, encoded.state)[1]

    def _given(self, encoded: Encoded) -> tuple[Tensor, Tensor]:
        device, state = encoded.seen_BT.device, encoded.state

        def step(frame_BM: np.ndarray) -> np.ndarray:
            nonlocal state
            last_BM = torch.from_numpy(frame_BM).to(device)
            y_BSO, state, _ = self.decoder.step(last_BM, encoded.kept, encoded.seen_BT, state)
            found_BSO: np.ndarray = y_BSO.float().cpu().numpy()
            return found_BSO

        with torch.no_grad():
            given, lengths = unrolled(step, len(encoded.seen_BT), self.decoder.bands, self.most)
        return torch.from_numpy(given).to(device), torch.from_numpy(lengths).to(device)
