"""The network that gives a text for a sequence: an encoder, and a decoder that looks back at it.

B sequences   T steps   U tokens of the longest target, its end included   V ids
M tokens of all targets together, ends included   N rows of a search
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tuner.beam import Search, search
from tuner.data.ids import END, UNKNOWN
from tuner.models.decoder import Decoder
from tuner.models.two_parts import Encoded, TwoParts

_ROWS = 512
"""Most rows of a search at once."""


class EncoderDecoder(TwoParts):
    """(x, lengths_B, targets_BU) → logits_MV in training, each token decoded after the true ones,
    text by text. Padding is not read off, which with a large vocabulary is most of a step's work.

    Otherwise → (logp_BU, decoded_BL): the log-probability of each token of the target after those
    before it, and what is decoded freely, padded with 0. Without targets the former is empty.
    """

    search = Search()

    decoder: Decoder

    def forward(
        self, x: Tensor, lengths_B: Tensor, targets_BU: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Decodes a text of each sequence, or scores what is to be decoded."""
        encoded = self.encode(x, lengths_B)
        if self.training:
            assert targets_BU is not None, "training without targets"
            r_BUR, _ = self.decoder.forced(targets_BU, encoded.kept, encoded.seen_BT, encoded.state)
            return self.decoder.read_off(r_BUR[targets_BU > 0])
        if targets_BU is None:
            targets_BU = torch.zeros(len(x), 0, dtype=torch.int64, device=x.device)
        return self._scores(encoded, targets_BU), self._decoded(encoded)

    def weights(self, x: Tensor, lengths_B: Tensor, decoded_BU: Tensor) -> Tensor | None:
        """weight_BUT: which steps are looked at in giving each token; None without attention."""
        encoded = self.encode(x, lengths_B)
        _, weight_BUT = self.decoder.forced(
            decoded_BU, encoded.kept, encoded.seen_BT, encoded.state
        )
        return weight_BUT

    def _scores(self, encoded: Encoded, targets_BU: Tensor) -> Tensor:
        """logp_BU, read off token by token: all at once would fill memory."""
        if not targets_BU.shape[1]:
            return torch.zeros(targets_BU.shape, device=targets_BU.device)
        r_BUR, _ = self.decoder.forced(targets_BU, encoded.kept, encoded.seen_BT, encoded.state)
        found = []
        for r_BR, target_B in zip(r_BUR.unbind(1), targets_BU.unbind(1), strict=True):
            logp_BV = self.decoder.read_off(r_BR).float().log_softmax(dim=-1)
            known_B = torch.where(target_B < logp_BV.shape[1], target_B, UNKNOWN)
            found.append(logp_BV.gather(1, known_B.unsqueeze(1)))
        return torch.cat(found, dim=1)

    def _decoded(self, encoded: Encoded) -> Tensor:
        num, device = len(encoded.seen_BT), encoded.seen_BT.device
        decoded: list[list[int]] = []
        with torch.no_grad():
            rows_B, most = torch.arange(num, device=device), max(_ROWS // self.search.width, 1)
            for rows in torch.split(rows_B, most):
                decoded += search(_Steps(self.decoder, encoded.of(rows)), len(rows), self.search)
        longest = max([1, *map(len, decoded)])
        padded = [ids + [0] * (longest - len(ids)) for ids in decoded]
        return torch.tensor(padded, dtype=torch.int64, device=device)


class _Steps:
    """The decoder as a search calls it."""

    def __init__(self, decoder: Decoder, encoded: Encoded) -> None:
        self._decoder, self._encoded = decoder, encoded

    def __call__(
        self, ids_N: np.ndarray, parents_N: np.ndarray, most: int
    ) -> tuple[np.ndarray, np.ndarray]:
        device = self._encoded.seen_BT.device
        encoded = self._encoded
        if not np.array_equal(parents_N, np.arange(len(encoded.seen_BT))):
            encoded = encoded.of(torch.from_numpy(parents_N).to(device))
        ids = torch.from_numpy(ids_N).to(device)
        logits_NV, state, _ = self._decoder.step(ids, encoded.kept, encoded.seen_BT, encoded.state)
        self._encoded = Encoded(encoded.kept, encoded.seen_BT, state)
        logp_NV = logits_NV.float().log_softmax(dim=-1)
        # Neither padding nor the unknown token nor the start is ever decoded.
        logp_NV[:, :END] = float("-inf")
        found = logp_NV.topk(min(most, logp_NV.shape[1]), dim=-1)
        return found.values.cpu().numpy(), found.indices.cpu().numpy()
