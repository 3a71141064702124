"""Search for the likeliest text: one hypothesis is greedy, many find what trying all finds."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from tuner.beam import Search, _beam, search
from tuner.data.ids import END, FIRST_DECODED

TOKENS = [END, FIRST_DECODED, FIRST_DECODED + 1, FIRST_DECODED + 2]
LONGEST = 4


class Table:
    """Made chances of each token after each text, other ones for each sequence."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.rows: list[tuple[int, tuple[int, ...]]] = []

    def logp(self, sequence: int, text: tuple[int, ...]) -> np.ndarray:
        chance = np.random.default_rng([self.seed, sequence, len(text), *text])
        scores = 2 * chance.normal(size=len(TOKENS))
        found: np.ndarray = scores - np.log(np.exp(scores).sum())
        return found

    def __call__(
        self, ids_N: np.ndarray, parents_N: np.ndarray, most: int
    ) -> tuple[np.ndarray, np.ndarray]:
        if not self.rows:
            self.rows = [(int(sequence), ()) for sequence in parents_N]
        else:
            before = [self.rows[parent] for parent in parents_N]
            self.rows = [(s, (*t, int(i))) for (s, t), i in zip(before, ids_N, strict=True)]
        logp_NV = np.stack([self.logp(*row) for row in self.rows])
        order_NC = np.argsort(-logp_NV, axis=1)[:, :most]
        return np.take_along_axis(logp_NV, order_NC, axis=1), np.array(TOKENS)[order_NC]

    def score(self, sequence: int, text: tuple[int, ...], power: float) -> float:
        """Of a text and its end."""
        places = [TOKENS.index(token) for token in (*text, END)]
        total = sum(self.logp(sequence, text[:u])[p] for u, p in enumerate(places))
        return float(total / len(places) ** power)


def texts() -> list[tuple[int, ...]]:
    """Every one that ends in time."""
    return [text for n in range(LONGEST) for text in product(TOKENS[1:], repeat=n)]


@pytest.mark.parametrize("power", [0.0, 0.7, 1.0, 2.0])
def test_wide_enough_it_finds_what_trying_every_text_finds(power: float) -> None:
    # Every hypothesis goes on, and every end is among the best.
    how = Search(width=len(TOKENS) ** LONGEST, length_power=power, longest=LONGEST)
    for seed in range(5):
        table = Table(seed)
        found = search(Table(seed), 3, how)
        for sequence, text in enumerate(found):
            best = max(texts(), key=lambda text: table.score(sequence, text, power))  # noqa: B023
            assert tuple(text) == best


def test_a_beam_of_one_is_greedy() -> None:
    for seed in range(20):
        how = Search(width=1, longest=LONGEST)
        greedy = search(Table(seed), 3, how)
        assert _beam(Table(seed), 3, how) == greedy
        table = Table(seed)
        for sequence, text in enumerate(greedy):
            for u, token in enumerate([*text, END][:LONGEST]):
                best = TOKENS[int(table.logp(sequence, tuple(text[:u])).argmax())]
                assert token == best


def test_a_wider_beam_is_better_on_the_whole() -> None:
    def total(width: int) -> float:
        found = 0.0
        for seed in range(30):
            table = Table(seed)
            decoded = search(Table(seed), 3, Search(width=width, length_power=0, longest=LONGEST))
            found += sum(table.score(s, tuple(text), 0) for s, text in enumerate(decoded))
        return found

    assert total(1) < total(3) <= total(40)


def test_a_text_without_end_stops_at_the_longest() -> None:
    def never(ids_N: np.ndarray, parents_N: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
        ids_NC = np.tile([FIRST_DECODED, FIRST_DECODED + 1, END][:most], (len(ids_N), 1))
        return np.tile([-0.1, -3.0, -np.inf][:most], (len(ids_N), 1)), ids_NC

    for width in (1, 2):
        assert search(never, 2, Search(width=width, longest=5)) == [[FIRST_DECODED] * 5] * 2
