"""Which token comes next, drawn from a model's outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuner import registry
from tuner.data.ids import FIRST, UNKNOWN
from tuner.data.texts import END

Carry = Callable[[np.ndarray, Any], tuple[np.ndarray, Any]]
"""A model: ids x_BTK and its state before them to outputs_BTV and its state after."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How adventurous a draw is."""

    temperature: float = 1.0
    """Divides the outputs: below 1 likely tokens become likelier; 0 always takes the likeliest."""
    top_k: int = 0
    """Only so many of the likeliest may be drawn; 0 is all (Fan, Lewis and Dauphin, 2018)."""
    top_p: float = 1.0
    """Only the likeliest tokens that together reach this share (Holtzman et al., 2020)."""

    def shares(self, outputs_V: np.ndarray) -> np.ndarray:
        """The probability with which each token is drawn; -inf is never."""
        outputs_V = outputs_V.astype(np.float64)
        order = np.argsort(-outputs_V, kind="stable")
        if self.temperature == 0:
            likeliest: np.ndarray = np.eye(len(outputs_V))[order[0]]
            return likeliest
        shares_V = np.exp((outputs_V - outputs_V.max()) / self.temperature)
        shares_V /= shares_V.sum()
        if self.top_k:
            shares_V[order[self.top_k :]] = 0
        # The token that reaches the share is the last one in.
        reached = np.cumsum(shares_V[order]) - shares_V[order] >= self.top_p * shares_V.sum()
        shares_V[order[reached]] = 0
        kept_V: np.ndarray = shares_V / shares_V.sum()
        return kept_V

    def draw(self, outputs_V: np.ndarray, chance: np.random.Generator) -> int:
        """One token."""
        return int(chance.choice(len(outputs_V), p=self.shares(outputs_V)))


def drawn(
    carry: Carry,
    start: Any,
    words: Sequence[str],
    given: Sequence[str],
    num: int,
    sampling: Sampling,
    chance: np.random.Generator,
) -> Iterator[str]:
    """Tokens one after the other, each drawn from what the model makes of those before it.

    Args:
        carry: the model.
        start: its state before any token.
        words: the tokens that it knows.
        given: what it goes on from.
        num: tokens to draw.
    """
    numbers = {word: number for number, word in enumerate(words, FIRST)}
    ids = [numbers.get(token, UNKNOWN) for token in given]
    state = start
    for _ in range(num):
        outputs_BTV, state = carry(np.array(ids, dtype=np.int64).reshape(1, -1, 1), state)
        outputs_V = outputs_BTV[0, -1]
        # Neither padding nor "some other token" can be written.
        outputs_V[:FIRST] = -np.inf
        ids = [sampling.draw(outputs_V, chance)]
        yield words[ids[0] - FIRST]


def joined(tokens: Sequence[str], tokenizer: str) -> str:
    """Tokens as a text, lines apart."""
    part = registry.get("tokenizers", tokenizer)
    lines: list[list[str]] = [[]]
    for token in tokens:
        if token == END:
            lines.append([])
        else:
            lines[-1].append(token)
    return END.join(part.join(line) for line in lines)
