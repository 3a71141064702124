"""The network that gives a text for a sequence: an encoder, and a decoder that looks back at it.

B sequences   T steps   U tokens of the longest target, its end included   V ids
N rows of a search
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tuner.beam import Search, search
from tuner.data.ids import END, UNKNOWN
from tuner.models.attention import SelfAttention
from tuner.models.convolution import Convolution
from tuner.models.decoder import Decoder
from tuner.models.dropout import drop
from tuner.models.encoder import Encoder, join
from tuner.models.frames import Frames
from tuner.models.inputs import Tokens, Values
from tuner.models.pictures import Pictures
from tuner.models.shape import Dropouts
from tuner.models.steps import Steps

_ROWS = 512
"""Most rows of a search at once."""


@dataclass(frozen=True)
class Encoded:
    """What a decoder knows of some sequences."""

    kept: list[Tensor]
    """Of each step, BT…; see `Memory`."""
    seen_BT: Tensor
    state: list[Tensor]
    """1BH each."""

    def of(self, rows_N: Tensor) -> Encoded:
        """The same of some rows, in their order."""
        return Encoded(
            [part.index_select(0, rows_N) for part in self.kept],
            self.seen_BT.index_select(0, rows_N),
            [part.index_select(1, rows_N) for part in self.state],
        )


class EncoderDecoder(nn.Module):
    """(x, lengths_B, targets_BU) → logits_BUV in training, each token decoded after the true ones.

    Otherwise → (logp_BU, decoded_BL): the log-probability of each token of the target after those
    before it, and what is decoded freely, padded with 0. Without targets the former is empty.
    """

    search = Search()

    def __init__(
        self,
        inputs: Values | Tokens | Frames,
        convolution: Convolution | None,
        encoder: Encoder,
        attention: SelfAttention | None,
        pooling: nn.Module,
        decoder: Decoder,
        *,
        dropouts: Dropouts,
        pictures: Pictures | None = None,
    ) -> None:
        super().__init__()
        self.pictures = pictures
        self.inputs = inputs
        self.convolution = convolution
        self.encoder = encoder
        self.attention = attention
        self.pooling = pooling
        self.decoder = decoder
        self.dropouts = dropouts

    def forward(
        self, x: Tensor, lengths_B: Tensor, targets_BU: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Decodes a text of each sequence, or scores what is to be decoded."""
        encoded = self.encode(x, lengths_B)
        if self.training:
            assert targets_BU is not None, "training without targets"
            r_BUR, _ = self.decoder.forced(targets_BU, encoded.kept, encoded.seen_BT, encoded.state)
            return self.decoder.read_off(r_BUR)
        if targets_BU is None:
            targets_BU = torch.zeros(len(x), 0, dtype=torch.int64, device=x.device)
        return self._scores(encoded, targets_BU), self._decoded(encoded)

    @property
    def fixed_steps(self) -> int:
        """Of every input, where pictures are read; 0 where any number is."""
        return 0 if self.pictures is None else self.pictures.picture[0]

    def encode(self, x: Tensor, lengths_B: Tensor) -> Encoded:
        """Reads the sequences."""
        if self.pictures is not None:
            x, lengths_B = self.pictures(x, lengths_B)
        steps = Steps(x, lengths_B)
        dropped = self.dropouts.input_dropout
        how = {"training": self.training, "locked": self.dropouts.locked}
        x_BTF = drop(self.inputs(x, steps), dropped, **how)
        if self.convolution is not None:
            x_BTF, _ = self.convolution(x_BTF, steps, None)
        h_D, _ = self.encoder(x_BTF, steps)
        if self.attention is not None:
            found_D = self.attention(h_D, steps)
            h_D = [h_BTH + found_BTH for h_BTH, found_BTH in zip(h_D, found_D, strict=True)]
        state = self.decoder.start(join(self.pooling(h_D, steps), self.encoder.join))
        kept: list[Tensor] = []
        if self.decoder.memory is not None:
            h_BTJ = drop(join(h_D, self.encoder.join), self.dropouts.between_layers, **how)
            kept = self.decoder.memory(h_BTJ)
        return Encoded(kept, steps.pooled_BT, state)

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
