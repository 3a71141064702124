"""A window that slides over the steps of an encoder and never goes back (Graves, 2013, section 5).

B sequences   T steps of the encoder   H units of a decoder   K bells of the window
P numbers of their places, two for each
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuner.models.decoder_size import BELLS

_NARROWEST = 0.4
"""Steps that a bell spreads at least: its weights at whole steps then add up to about one."""


class Window(nn.Module):
    """A mixture of normal densities over the steps, each of which is moved on by the decoder.

    As "GMMv2" of Battenberg et al. (2020): weights are a softmax, moves and widths a softplus.
    Where the window has left the last step, its weights are near zero, which tells the decoder that
    all has been read.

    Args:
        width: H.
        pace: steps that an untrained window moves on at a time, so that what is read and what is
            given end together.
    """

    def __init__(self, width: int, pace: float) -> None:
        super().__init__()
        self.pace = pace
        self.ask = nn.Linear(width, 3 * BELLS)

    def forward(self, h_BH: Tensor, place_BP: Tensor, seen_BT: Tensor) -> tuple[Tensor, Tensor]:
        """weight_BT of the steps that are seen, and the places of the bells after a move.

        Places are whole steps, K of them, then what is left, in [0, 1): a sum in one number would
        be as coarse as its whole steps, and two runtimes would drift apart.
        """
        whole_BK, part_BK = place_BP.chunk(2, dim=1)
        share_BK, move_BK, spread_BK = self.ask(h_BH).chunk(3, dim=1)
        part_BK = part_BK + self.pace / math.log(2) * F.softplus(move_BK)
        steps_BK = part_BK.floor()
        whole_BK, part_BK = whole_BK + steps_BK, part_BK - steps_BK
        spread_BK = _NARROWEST + F.softplus(spread_BK)
        step_T = torch.arange(seen_BT.shape[1], device=h_BH.device)
        apart_BKT = (step_T - whole_BK.unsqueeze(2)) - part_BK.unsqueeze(2)
        apart_BKT = apart_BKT / spread_BK.unsqueeze(2)
        bell_BKT = torch.exp(-0.5 * apart_BKT * apart_BKT) / spread_BK.unsqueeze(2)
        share_BK1 = share_BK.softmax(dim=1).unsqueeze(2) / math.sqrt(2 * math.pi)
        weight_BT = (share_BK1 * bell_BKT).sum(dim=1)
        place_BP = torch.cat([whole_BK, part_BK], dim=1)
        return weight_BT.masked_fill(~seen_BT, 0.0), place_BP
