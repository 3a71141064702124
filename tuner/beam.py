"""The likeliest text of a decoder that gives one token after another: greedy or beam search.

Knows neither torch nor a graph: a decoder is a function of the last tokens that keeps its states.

A sequences   K hypotheses of each   N = A·K rows of the decoder   C candidates of a row
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tuner.data.ids import END, START


class Step(Protocol):
    """A decoder that keeps the state of its rows."""

    def __call__(
        self, ids_N: np.ndarray, parents_N: np.ndarray, most: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Goes on by a token in each row.

        Args:
            ids_N: the last token of each row.
            parents_N: the row of the call before that each goes on from; of the first call, the
                sequence that it is of.
            most: candidates that are wanted of each row.

        Returns:
            logp_NC, the log-probabilities of the likeliest tokens that may come next, largest
            first, and id_NC, these tokens; fewer than `most` where there are fewer.
        """


@dataclass(frozen=True, kw_only=True)
class Search:
    """How a text is looked for."""

    width: int = 1
    """Hypotheses of a sequence that go on; 1 takes the likeliest token each time."""
    length_power: float = 1.0
    """Texts are compared by their log-probability over their length to this power: 0 prefers short
    ones, 1 is the mean of a token (Wu et al., 2016, section 7)."""
    longest: int = 100
    """Tokens after which a text ends in any case, its end counted."""


def search(step: Step, num: int, how: Search) -> list[list[int]]:
    """The tokens that a decoder gives of each of so many sequences, without start and end."""
    return _greedy(step, num, how.longest) if how.width == 1 else _beam(step, num, how)


def _greedy(step: Step, num: int, longest: int) -> list[list[int]]:
    decoded: list[np.ndarray] = []
    ids_N, rows_N = np.full(num, START, dtype=np.int64), np.arange(num)
    ended_N = np.zeros(num, dtype=bool)
    while len(decoded) < longest and not ended_N.all():
        _, id_N1 = step(ids_N, rows_N, 1)
        ids_N = np.where(ended_N, END, id_N1[:, 0])
        decoded.append(ids_N)
        ended_N = ended_N | (ids_N == END)
    if not decoded:
        return [[] for _ in range(num)]
    return [[int(i) for i in row_U if i != END] for row_U in np.stack(decoded, axis=1)]


@dataclass
class _Found:
    """The best text of a sequence that has ended, and how many have."""

    score: float = -np.inf
    ids: tuple[int, ...] = ()
    num: int = 0

    def add(self, score: float, ids: tuple[int, ...]) -> None:
        self.num += 1
        if score > self.score:
            self.score, self.ids = score, ids


_Hypothesis = tuple[float, tuple[int, ...]]
"""Log-probability, and tokens."""


def _beam(step: Step, num: int, how: Search) -> list[list[int]]:
    """Beam search: a hypothesis ends where its end is among the best `width` candidates.

    A sequence is done once as many have ended. At the longest, the best one that has not ended
    counts where none has.
    """
    found = [_Found() for _ in range(num)]
    alive = list(range(num))
    beams: list[list[_Hypothesis]] = [[(0.0, ())] for _ in range(num)]
    ids_N, parents_N = np.full(num, START, dtype=np.int64), np.arange(num)
    for length in range(1, how.longest + 1):
        # As many as go on, and the end beside them.
        logp_NC, id_NC = step(ids_N, parents_N, how.width + 1)
        going: list[int] = []
        ids: list[int] = []
        parents: list[int] = []
        row = 0
        for sequence in alive:
            beam = beams[sequence]
            rows = slice(row, row + len(beam))
            kept = _kept(beam, logp_NC[rows], id_NC[rows], found[sequence], length, how)
            if kept and found[sequence].num < how.width:
                going.append(sequence)
                beams[sequence] = [hypothesis for _, hypothesis in kept]
                ids += [hypothesis[-1] for _, (_, hypothesis) in kept]
                parents += [row + parent for parent, _ in kept]
            row += len(beam)
        alive = going
        if not alive:
            break
        ids_N, parents_N = np.array(ids, dtype=np.int64), np.array(parents, dtype=np.int64)
    for sequence in alive:
        if not found[sequence].num:
            score, decoded = beams[sequence][0]
            found[sequence].add(score, decoded)
    return [list(each.ids) for each in found]


def _kept(
    beam: list[_Hypothesis],
    logp_KC: np.ndarray,
    id_KC: np.ndarray,
    found: _Found,
    length: int,
    how: Search,
) -> list[tuple[int, _Hypothesis]]:
    """The hypotheses that go on, best first, each with its parent; those that end are found."""
    score_K1 = np.array([[score] for score, _ in beam])
    total_M = (score_K1 + logp_KC).ravel()
    kept: list[tuple[int, _Hypothesis]] = []
    for rank, place in enumerate(np.argsort(-total_M, kind="stable")[: 2 * how.width]):
        score = float(total_M[place])
        if score == -np.inf:
            break
        parent, token = int(place) // id_KC.shape[1], int(id_KC.flat[place])
        decoded = beam[parent][1]
        if token != END:
            kept.append((parent, (score, (*decoded, token))))
        elif rank < how.width:
            found.add(score / length**how.length_power, decoded)
        if len(kept) == how.width:
            break
    return kept
