"""What gives frames, some at a time, after what an encoder gave and the last frame of its own.

B sequences   T steps of the encoder   J units of such a step   U frames   S steps of the decoder
M bands of a frame   O numbers that are given for one: its bands and whether it is the last
H hidden units   P numbers of the window's place   R units that are read off
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tuner import registry
from tuner.models.decoder import of_decoder
from tuner.models.decoder_size import BELLS
from tuner.models.dropout import drop
from tuner.models.encoder import Encoder
from tuner.models.shape import Dropouts
from tuner.models.steps import Steps
from tuner.models.window import Window

if TYPE_CHECKING:
    from tuner.models.architectures.recurrent import RecurrentConfig


class FrameDecoder(nn.Module):
    """A stack of cells that reads its last frame and what the window found before.

    As Tacotron's (Wang et al., 2017): the frame goes through a small network with dropout, so that
    a model cannot live on copying it, and several frames are given at each step. Its attention is
    the window of Graves (2013), which aligns with little data, and there is no network behind the
    frames.

    Args:
        config: of the architecture; the cells go forwards, from a state that is always given.
        dropouts: of the architecture.
        bands: M.
        read: J.
        pooled: units of what the states start from.
        pace: steps of the encoder per frame, as in training data.
    """

    def __init__(
        self,
        config: RecurrentConfig,
        dropouts: Dropouts,
        *,
        bands: int,
        read: int,
        pooled: int,
        pace: float,
    ) -> None:
        super().__init__()
        width = config.hidden_size
        self.dropouts, self.frame_dropout = dropouts, config.frame_dropout
        self.bands, self.frames_per_step = bands, config.frames_per_step
        self.frame = nn.ModuleList([nn.Linear(bands, width), nn.Linear(width, width)])
        self.stack = Encoder(of_decoder(config), dropouts, inputs=width + read)
        self.window = Window(width, pace * config.frames_per_step)
        self.num_states = config.layers * len(registry.get("cells", config.cell).STATE)
        self.begin = nn.Linear(pooled, self.num_states * width)
        self.readout = nn.Linear(width + read, width)
        self.head = nn.Linear(width, config.frames_per_step * (bands + 1))
        self._read = read

    def memory(self, h_BTJ: Tensor) -> list[Tensor]:
        """What is kept of the encoder's steps: they themselves."""
        return [h_BTJ]

    def start(self, pooled_BP: Tensor) -> list[Tensor]:
        """What the cells start from, each 1BH; then nothing that was found, 1BJ, at the window's
        place before the first step, 1BP."""
        state_1BS = torch.tanh(self.begin(pooled_BP)).unsqueeze(0)
        cells = [part_1BH.contiguous() for part_1BH in state_1BS.chunk(self.num_states, dim=-1)]
        # In float32 at any precision: a window's place is a sum of many small moves.
        num, device = pooled_BP.shape[0], pooled_BP.device
        return [*cells, *(torch.zeros(1, num, n, device=device) for n in (self._read, 2 * BELLS))]

    def step(
        self, frame_BM: Tensor, kept: list[Tensor], seen_BT: Tensor, state: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        """y_BSO of the frames that follow this one, as many as one step gives; the states after
        them, and weight_BT."""
        p_BH = self._seen(frame_BM.unsqueeze(1))[:, 0]
        h_BR, state, weight_BT = self._advance(p_BH, kept, seen_BT, state)
        return self._read_off(h_BR.unsqueeze(1)), state, weight_BT

    def forced(
        self, frames_BUM: Tensor, kept: list[Tensor], seen_BT: Tensor, state: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        """y_BUO of each frame, the true one before it read (teacher forcing: Williams and Zipser,
        1989), and weight_BST."""
        per_step, num = self.frames_per_step, frames_BUM.shape[1]
        first_B1M = torch.zeros_like(frames_BUM[:, :1])
        last_BSM = torch.cat([first_B1M, frames_BUM[:, per_step - 1 : num - 1 : per_step]], dim=1)
        found: list[Tensor] = []
        weights: list[Tensor] = []
        for p_BH in self._seen(last_BSM).unbind(1):
            h_BR, state, weight_BT = self._advance(p_BH, kept, seen_BT, state)
            found.append(h_BR)
            weights.append(weight_BT)
        y_BUO = self._read_off(torch.stack(found, dim=1))
        return y_BUO[:, :num], torch.stack(weights, dim=1)

    def _seen(self, frames_BSM: Tensor) -> Tensor:
        """p_BSH: frames as the cells read them."""
        p_BSH = frames_BSM
        for layer in self.frame:
            p_BSH = drop(torch.relu(layer(p_BSH)), self.frame_dropout, training=self.training)
        return p_BSH

    def _advance(
        self, p_BH: Tensor, kept: list[Tensor], seen_BT: Tensor, state: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        """What is read off of one step, the states after it, and weight_BT."""
        (h_BTJ,) = kept
        *cells, found_1BJ, place_1BP = state
        x_B1I = torch.cat([p_BH, found_1BJ[0]], dim=1).unsqueeze(1)
        steps = Steps(x_B1I, torch.ones_like(seen_BT[:, 0], dtype=torch.int64))
        (h_B1H,), after = self.stack(x_B1I, steps, cells)
        h_BH = h_B1H[:, 0]
        weight_BT, place_BP = self.window(h_BH, place_1BP[0], seen_BT)
        found_BJ = torch.bmm(weight_BT.unsqueeze(1), h_BTJ)[:, 0]
        after = [*after, found_BJ.unsqueeze(0), place_BP.unsqueeze(0)]
        return torch.cat([h_BH, found_BJ], dim=1), after, weight_BT

    def _read_off(self, h_BSR: Tensor) -> Tensor:
        """y_BUO, step by step as many frames as one gives."""
        how = {"training": self.training, "locked": self.dropouts.locked}
        r_BSH = drop(torch.tanh(self.readout(h_BSR)), self.dropouts.before_head, **how)
        y_BUO: Tensor = self.head(r_BSH).reshape(h_BSR.shape[0], -1, self.bands + 1)
        return y_BUO
