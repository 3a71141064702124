"""The likeliest text that a language model goes on with, by beam search over its states.

N hypotheses   T tokens   V ids   C candidates of a hypothesis
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuner.beam import Search, search
from tuner.data.ids import FIRST, FIRST_DECODED, UNKNOWN
from tuner.sampling import Carry

_BESIDE = FIRST_DECODED - FIRST
"""By how much ids of a search are higher: a stream has no token that ends it."""


@dataclass(frozen=True, kw_only=True)
class Beam:
    """How widely the likeliest text is looked for."""

    width: int
    """Texts that go on from token to token; 1 takes the likeliest token each time, and as many as
    there are texts finds the likeliest of all."""


def likeliest(
    carry: Carry, start: Any, words: Sequence[str], given: Sequence[str], num: int, beam: Beam
) -> list[str]:
    """So many tokens that follow, together the likeliest that a beam search finds.

    Args:
        carry: the model.
        start: its state before any token, of one stream.
        words: the tokens that it knows.
        given: what it goes on from.
        num: tokens to find.
        beam: how widely to look.
    """
    numbers = {word: number for number, word in enumerate(words, FIRST)}
    ids = [numbers.get(token, UNKNOWN) for token in given]
    outputs_BTV, state = carry(np.array(ids, dtype=np.int64).reshape(1, -1, 1), start)
    steps = _Steps(carry, state, outputs_BTV[:, -1])
    (found,) = search(steps, 1, Search(width=beam.width, longest=num))
    return [words[each - FIRST_DECODED] for each in found]


class _Steps:
    """The model as a search calls it."""

    def __init__(self, carry: Carry, state: Any, outputs_NV: np.ndarray) -> None:
        self._carry, self._state = carry, state
        self._following_NV: np.ndarray | None = outputs_NV
        """What follows the text that was given; None once the search goes on by itself."""

    def __call__(
        self, ids_N: np.ndarray, parents_N: np.ndarray, most: int
    ) -> tuple[np.ndarray, np.ndarray]:
        outputs_NV, self._following_NV = self._following_NV, None
        if outputs_NV is None:
            state = [part_LNH[:, parents_N] for part_LNH in self._state]
            ids_NTK = (ids_N - _BESIDE).reshape(-1, 1, 1)
            outputs_NTV, self._state = self._carry(ids_NTK, state)
            outputs_NV = outputs_NTV[:, -1]
        # Neither padding nor "some other token" can be written.
        known_NV = outputs_NV[:, FIRST:].astype(np.float64)
        top_N1 = known_NV.max(axis=1, keepdims=True)
        logp_NV = known_NV - top_N1
        logp_NV -= np.log(np.exp(logp_NV).sum(axis=1, keepdims=True))
        order_NC = np.argsort(-logp_NV, axis=1, kind="stable")[:, :most]
        return np.take_along_axis(logp_NV, order_NC, axis=1), order_NC + FIRST_DECODED
