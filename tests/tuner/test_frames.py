"""Frames one after another: each read before the next, and an end where it is likelier than not."""

from __future__ import annotations

import numpy as np

from tuner.frames import unrolled


def certain(odds: float) -> float:
    """Log-odds so sure that nothing is left to add up."""
    return 50.0 * odds


def test_each_step_reads_the_last_frame_given() -> None:
    read: list[list[float]] = []

    def step(frame_NM: np.ndarray) -> np.ndarray:
        read.append(frame_NM[:, 0].tolist())
        given = [[[x + 1, certain(-1)], [x + 2, certain(-1)]] for x in frame_NM[:, 0]]
        return np.array(given, dtype=np.float32)

    frames_NLM, lengths_N = unrolled(step, 2, 1, 5)
    assert read == [[0, 0], [2, 2], [4, 4]]
    assert lengths_N.tolist() == [5, 5], "cut off within a step"
    assert frames_NLM[:, :, 0].tolist() == [[1, 2, 3, 4, 5]] * 2


def test_a_row_ends_by_its_own_odds_and_is_padded_with_zeros() -> None:
    ends = np.array([2, 3, 9])
    given = 0

    def step(frame_NM: np.ndarray) -> np.ndarray:
        nonlocal given
        y_NRO = np.ones((3, 2, 2), dtype=np.float32)
        for r in range(2):
            given += 1
            y_NRO[:, r, 1] = np.where(given == ends, certain(1), certain(-1))
        return y_NRO

    frames_NLM, lengths_N = unrolled(step, 3, 1, 6)
    assert lengths_N.tolist() == [2, 3, 6] and given == 6
    assert frames_NLM[:, :, 0].sum(axis=1).tolist() == [2, 3, 6]


def test_chances_add_up_to_the_median_of_all_lengths() -> None:
    odds = 0.1

    def step(frame_NM: np.ndarray) -> np.ndarray:
        return np.full((1, 1, 2), np.log(odds / (1 - odds)), dtype=np.float32)

    _, lengths_N = unrolled(step, 1, 1, 100)
    # By the seventh frame 1 - 0.9^7 = 52 % have ended, by the sixth 47 %; none ends by a frame of
    # its own.
    assert lengths_N.tolist() == [7]


def test_what_is_not_finite_goes_on_to_the_end() -> None:
    def step(frame_NM: np.ndarray) -> np.ndarray:
        return np.full((1, 2, 2), np.nan, dtype=np.float32)

    assert unrolled(step, 1, 1, 5)[1].tolist() == [5]
