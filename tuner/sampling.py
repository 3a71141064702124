"""Which token comes next, drawn from a model's outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
