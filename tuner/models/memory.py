"""How a decoder looks back at what an encoder gave: additive (Bahdanau) or multiplicative (Luong).

B sequences   T steps of the encoder, J units each   U steps of the decoder, H units each
A units of a key   C units of a value
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tuner.models.decoder_size import Looking, value_size


class Memory(nn.Module):
    """Keys and values of the steps, and what a decoder's states find among them.

    Args:
        kind: `additive` compares by a layer of its own, `general` by a matrix, `dot` by the product
            alone, of steps that are first brought to the decoder's size where they have another.
        read: J.
        width: H.
    """

    def __init__(self, kind: Looking, read: int, width: int) -> None:
        super().__init__()
        assert kind != "none"
        self.kind = kind
        self.keep: nn.Module = nn.Identity()
        if kind != "dot" or read != width:
            self.keep = nn.Linear(read, width, bias=False)
        self.ask = nn.Linear(width, width) if kind == "additive" else None
        self.weigh = nn.Linear(width, 1, bias=False) if kind == "additive" else None
        self.size = value_size(kind, read, width)
        """C."""

    def forward(self, h_BTJ: Tensor) -> list[Tensor]:
        """keys_BTA and values_BTC, made once for all steps of a decoder; one where they are one."""
        keys_BTA = self.keep(h_BTJ)
        return [keys_BTA] if self.kind == "dot" else [keys_BTA, h_BTJ]

    def look(self, h_BUH: Tensor, kept: list[Tensor], seen_BT: Tensor) -> tuple[Tensor, Tensor]:
        """context_BUC and weight_BUT, which add up to 1 over the steps that are seen."""
        keys_BTA, values_BTC = kept[0], kept[-1]
        if self.ask is not None and self.weigh is not None:
            both_BUTA = torch.tanh(keys_BTA.unsqueeze(1) + self.ask(h_BUH).unsqueeze(2))
            score_BUT = self.weigh(both_BUTA).squeeze(-1)
        else:
            score_BUT = h_BUH @ keys_BTA.transpose(1, 2)
        score_BUT = score_BUT.masked_fill(~seen_BT.unsqueeze(1), float("-inf"))
        weight_BUT = score_BUT.softmax(dim=-1)
        return weight_BUT @ values_BTC, weight_BUT
