"""Frames of a decoder, step after step, each from those given before, until it is done.

Knows neither torch nor a graph: a decoder is a function of the last frames that keeps its states.

N sequences   M bands of a frame   R frames of a step   O numbers of one: bands, and an end
L frames of the longest answer
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Step = Callable[[np.ndarray], np.ndarray]
"""Goes on by some frames in each row: from the last one, frame_NM, to y_NRO, whose last number is
the log-odds that a frame is the last one."""


def unrolled(step: Step, num: int, bands: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """frames_NLM, padded with 0, and their lengths_N.

    A row ends with the first frame by which it has more likely ended than not: the odds of each
    frame are those of ending there if not before, so that this is the median of all lengths.

    Args:
        step: the decoder.
        num: N.
        bands: M.
        most: frames after which a row ends in any case.
    """
    last_NM = np.zeros((num, bands), dtype=np.float32)
    alive_N, lengths_N = np.ones(num), np.zeros(num, dtype=np.int64)
    pieces: list[np.ndarray] = []
    given = 0
    while given < most and not (lengths_N > 0).all():
        y_NRO = step(last_NM)
        pieces.append(y_NRO[:, :, :bands])
        for odds_N in y_NRO[:, :, bands].T:
            given += 1
            # Of large odds the exponential is infinite and the chance of going on zero.
            with np.errstate(over="ignore"):
                alive_N = alive_N / (1 + np.exp(odds_N.astype(np.float64)))
            ends_N = (lengths_N == 0) & (alive_N < 0.5)
            lengths_N[ends_N] = min(given, most)
        last_NM = pieces[-1][:, -1]
    lengths_N[lengths_N == 0] = most
    longest = int(lengths_N.max(initial=1))
    frames_NLM = np.concatenate(pieces, axis=1)[:, :longest]
    valid_NL = np.arange(frames_NLM.shape[1]) < lengths_N[:, None]
    return np.where(valid_NL[:, :, None], frames_NLM, np.float32(0)), lengths_N
