"""How far two sequences are apart when each is slowed and hurried so that they agree best.

N and M steps of the two   F features
"""

from __future__ import annotations

import numpy as np


def warped(one_NF: np.ndarray, other_MF: np.ndarray) -> float:
    """The sum of distances along the best path, to be divided by N + M (Sakoe and Chiba, 1978).

    Symmetric and without slope constraints: a step of both counts twice, one of either alone once,
    so that every path weighs N + M. The distance of two steps is their mean absolute difference.
    """
    before_M: np.ndarray | None = None
    for step_F in one_NF.astype(np.float64):
        apart_M = np.abs(other_MF - step_F).mean(axis=1)
        if before_M is None:
            begun_M = np.concatenate([[2 * apart_M[0]], np.full(len(apart_M) - 1, np.inf)])
        else:
            begun_M = before_M + apart_M
            begun_M[1:] = np.minimum(begun_M[1:], before_M[:-1] + 2 * apart_M[1:])
        # The best of all places where this row was entered, less what lies before them.
        along_M = np.cumsum(apart_M)
        before_M = along_M + np.minimum.accumulate(begun_M - along_M)
    assert before_M is not None, "a sequence of a step or more"
    return float(before_M[-1])
