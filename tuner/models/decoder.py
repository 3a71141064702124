"""What decodes a text token by token, after what an encoder gave.

B sequences   T steps of the encoder   U tokens of a text   V ids   H hidden units
E units of a token's vector   C units of what attention finds   R units that are read off
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from tuner import registry
from tuner.data.ids import START, UNKNOWN
from tuner.models.dropout import drop
from tuner.models.encoder import Encoder
from tuner.models.head import TiedHead
from tuner.models.memory import Memory
from tuner.models.shape import Dropouts
from tuner.models.steps import Steps

if TYPE_CHECKING:
    from tuner.models.architectures.recurrent import RecurrentConfig


class Decoder(nn.Module):
    """A stack of cells that reads its last token, and attention to the encoder's steps.

    Additive attention is asked by the state before a step and read by the cells (Bahdanau et al.,
    2015); the others by the state after it, without feeding what they find back (Luong et al.,
    2015), so that in training all steps are one call.

    Args:
        config: of the architecture; the cells go forwards, from a state that is always given.
        dropouts: of the architecture.
        vocabulary: V.
        read: units of each of the encoder's steps.
        pooled: units of what the states start from.
    """

    progress = 0.0
    """Share of the trial's steps that have been trained, which scheduled sampling follows."""

    def __init__(
        self,
        config: RecurrentConfig,
        dropouts: Dropouts,
        *,
        vocabulary: int,
        read: int,
        pooled: int,
    ) -> None:
        super().__init__()
        width = config.hidden_size
        self.dropouts = dropouts
        self.embedding = nn.Embedding(vocabulary, config.embedding, padding_idx=0)
        self.memory = None
        if config.attention != "none":
            self.memory = Memory(config.attention, read, width)
        self.feeds = config.attention == "additive"
        found = self.memory.size if self.memory is not None else 0
        inputs = config.embedding + (found if self.feeds else 0)
        self.stack = Encoder(of_decoder(config), dropouts, inputs=inputs)
        self.parts = len(registry.get("cells", config.cell).STATE)
        self.num_states = config.layers * self.parts
        self.begin = nn.Linear(pooled, self.num_states * width)
        self.readout = nn.Linear(width + found, width)
        self.head: nn.Linear | TiedHead
        if config.tied:
            self.head = TiedHead(width, config.embedding, vocabulary)
        else:
            self.head = nn.Linear(width, vocabulary)

    def start(self, pooled_BP: Tensor) -> list[Tensor]:
        """What the states start from, each 1BH."""
        state_BS = torch.tanh(self.begin(pooled_BP)).unsqueeze(0)
        return [part_1BH.contiguous() for part_1BH in state_BS.chunk(self.num_states, dim=-1)]

    def step(
        self, ids_B: Tensor, kept: list[Tensor], seen_BT: Tensor, state: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor], Tensor | None]:
        """logits_BV of the token that follows these, the states after them, and weight_BT."""
        e_B1E = self.embedding(ids_B.unsqueeze(1))
        r_B1R, state, weight_B1T = self._advance(e_B1E, kept, seen_BT, state)
        weight_BT = None if weight_B1T is None else weight_B1T[:, 0]
        return self.read_off(r_B1R[:, 0]), state, weight_BT

    def forced(
        self, targets_BU: Tensor, kept: list[Tensor], seen_BT: Tensor, state: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        """r_BUR, to be read off, at each of a text's tokens, the true one read before the next
        (teacher forcing: Williams and Zipser, 1989), and weight_BUT.

        In training, scheduled sampling reads some of the decoder's own tokens instead (Bengio et
        al., 2015): a share that grows evenly from none to `scheduled_sampling` over the trial.
        """
        start_B1 = torch.full_like(targets_BU[:, :1], START)
        read_BU = torch.cat([start_B1, targets_BU[:, :-1]], dim=1)
        own = self.dropouts.scheduled_sampling * self.progress if self.training else 0.0
        e_BUE = self._embedded(read_BU)
        if own:
            own_BU = torch.rand(read_BU.shape, device=read_BU.device) < own
        elif not self.feeds:
            r_BUR, _, weight_BUT = self._advance(e_BUE, kept, seen_BT, state)
            return self._dropped(r_BUR), weight_BUT
        pieces: list[Tensor] = []
        weights: list[Tensor] = []
        for u in range(read_BU.shape[1]):
            e_B1E = e_BUE[:, u : u + 1]
            if own and u:
                with torch.no_grad():
                    decoded_B1 = self.read_off(pieces[-1]).argmax(dim=-1)
                decoded_B1E = self.embedding(decoded_B1)
                e_B1E = torch.where(own_BU[:, u : u + 1, None], decoded_B1E, e_B1E)
            r_B1R, state, weight_B1T = self._advance(e_B1E, kept, seen_BT, state)
            pieces.append(r_B1R)
            weights += [] if weight_B1T is None else [weight_B1T]
        weight_BUT = torch.cat(weights, dim=1) if weights else None
        return self._dropped(torch.cat(pieces, dim=1)), weight_BUT

    def read_off(self, r_R: Tensor) -> Tensor:
        """logits_...V."""
        if isinstance(self.head, TiedHead):
            tied_V: Tensor = self.head(r_R, self.embedding.weight)
            return tied_V
        y_V: Tensor = self.head(r_R)
        return y_V

    def _advance(
        self, e_BUE: Tensor, kept: list[Tensor], seen_BT: Tensor, state: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor], Tensor | None]:
        """Reads some tokens, one alone where attention is fed back."""
        context_BUC, weight_BUT = None, None
        if self.memory is not None and self.feeds:
            top_B1H = state[-self.parts].transpose(0, 1)
            context_BUC, weight_BUT = self.memory.look(top_B1H, kept, seen_BT)
            e_BUE = torch.cat([e_BUE, context_BUC], dim=-1)
        steps = Steps(e_BUE, torch.full_like(seen_BT[:, 0], e_BUE.shape[1], dtype=torch.int64))
        (h_BUH,), after = self.stack(e_BUE, steps, state)
        if self.memory is not None and not self.feeds:
            context_BUC, weight_BUT = self.memory.look(h_BUH, kept, seen_BT)
        if context_BUC is not None:
            h_BUH = torch.cat([h_BUH, context_BUC], dim=-1)
        return torch.tanh(self.readout(h_BUH)), after, weight_BUT

    def _embedded(self, ids_BU: Tensor) -> Tensor:
        """What does not count among the known ids, of a text that is scored, is unknown."""
        known = self.embedding.num_embeddings
        e_BUE = self.embedding(torch.where(ids_BU < known, ids_BU, UNKNOWN))
        how = {"training": self.training, "locked": self.dropouts.locked}
        return drop(e_BUE, self.dropouts.input_dropout, **how)

    def _dropped(self, r_BUR: Tensor) -> Tensor:
        how = {"training": self.training, "locked": self.dropouts.locked}
        return drop(r_BUR, self.dropouts.before_head, **how)


def of_decoder(config: RecurrentConfig) -> RecurrentConfig:
    """The cells of a decoder as a stack that goes forwards, whose steps are normalised alone."""
    norm = "layer" if config.norm == "layer" else "none"
    changes = {"directions": 1, "initial_state": "zero", "norm": norm}
    return config.model_copy(update=changes)
