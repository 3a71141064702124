"""Self-attention over the valid steps, of one's own head width so that any size is divisible.

B sequences, T steps, N heads, W units of a head, J units of all directions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuner.models.steps import Steps


class SelfAttention(nn.Module):
    """(an h_BTH for each direction, steps) → as much for each (Vaswani et al., 2017).

    All heads see all directions. Where the heads do not divide J, they are rounded up.
    """

    def __init__(self, directions: int, hidden_size: int, heads: int) -> None:
        super().__init__()
        size = directions * hidden_size
        self.heads, self.head_size = heads, -(-size // heads)
        self.read = nn.Linear(size, 3 * heads * self.head_size)
        self.write = nn.Linear(heads * self.head_size, size)

    def forward(self, h_D: list[Tensor], steps: Steps) -> list[Tensor]:
        """Every step looks at every valid one; what padded steps give means nothing."""
        h_BTJ = h_D[0] if len(h_D) == 1 else torch.cat(h_D, dim=-1)
        apart_BT3NW = self.read(h_BTJ).unflatten(-1, (3, self.heads, self.head_size))
        query_BNTW, key_BNTW, value_BNTW = apart_BT3NW.permute(2, 0, 3, 1, 4).unbind(0)
        seen_B11T = steps.pooled_BT[:, None, None, :]
        found_BNTW = F.scaled_dot_product_attention(
            query_BNTW, key_BNTW, value_BNTW, attn_mask=seen_B11T
        )
        found_BTJ = self.write(found_BNTW.transpose(1, 2).flatten(2))
        return list(found_BTJ.chunk(len(h_D), dim=-1))

    def looks(self, h_D: list[Tensor], steps: Steps) -> Tensor:
        """look_BTT: how much each step looks at each other one, the mean over heads."""
        h_BTJ = h_D[0] if len(h_D) == 1 else torch.cat(h_D, dim=-1)
        apart_BT3NW = self.read(h_BTJ).unflatten(-1, (3, self.heads, self.head_size))
        query_BNTW, key_BNTW, _ = apart_BT3NW.permute(2, 0, 3, 1, 4).unbind(0)
        score_BNTT = query_BNTW @ key_BNTW.transpose(2, 3) * self.head_size**-0.5
        unseen_B11T = ~steps.pooled_BT[:, None, None, :]
        look_BTT: Tensor = score_BNTT.masked_fill(unseen_B11T, float("-inf")).softmax(-1).mean(1)
        return look_BTT
