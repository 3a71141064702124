"""Connectionist temporal classification: from scores of frames to tokens (Graves et al., 2006).

T frames   O outputs, the blank first   W prefixes   B rows   U tokens of a target

A path gives each frame an output; repeats are joined, then blanks left out. What is likeliest is
not the tokens of the likeliest path, but those whose paths are likely together.
"""

from __future__ import annotations

import numpy as np

BLANK = 0


def frames_needed(target_BU: np.ndarray, lengths_B: np.ndarray) -> np.ndarray:
    """The fewest frames of any path that gives a target: a blank must part equal neighbours."""
    inside_BU = np.arange(1, target_BU.shape[1]) < lengths_B[:, None]
    repeats_B = ((target_BU[:, 1:] == target_BU[:, :-1]) & inside_BU).sum(axis=1)
    needed_B: np.ndarray = lengths_B + repeats_B
    return needed_B


def log_softmax(scores_TO: np.ndarray) -> np.ndarray:
    """Log-probabilities of each frame, in double precision."""
    scores_TO = scores_TO.astype(np.float64)
    above_TO = scores_TO - scores_TO.max(axis=1, keepdims=True)
    logs_TO: np.ndarray = above_TO - np.log(np.exp(above_TO).sum(axis=1, keepdims=True))
    return logs_TO


def best_path(scores_TO: np.ndarray) -> list[int]:
    """The tokens of the likeliest path."""
    path_T = scores_TO.argmax(axis=1)
    changed_T = np.diff(path_T, prepend=-1) != 0
    tokens: list[int] = path_T[changed_T & (path_T != BLANK)].tolist()
    return tokens


def prefix_beam(scores_TO: np.ndarray, width: int) -> list[int]:
    """The likeliest tokens that are found among so many prefixes at each frame.

    Each prefix has the paths that end in a blank and those that end in its last token, of which
    only the former can be followed by that token again (Hannun et al., 2014).
    """
    logs_TO = log_softmax(scores_TO)
    num_outputs = logs_TO.shape[1]
    prefixes: list[tuple[int, ...]] = [()]
    blank_W, token_W = np.zeros(1), np.full(1, -np.inf)
    for logs_O in logs_TO:
        last_W = np.array([prefix[-1] if prefix else BLANK for prefix in prefixes])
        whole_W = np.logaddexp(blank_W, token_W)
        stays_W = whole_W + logs_O[BLANK]
        # The empty prefix has no token to say again.
        again_W = np.where(last_W == BLANK, -np.inf, token_W + logs_O[last_W])
        grown_WO = whole_W[:, None] + logs_O
        places = np.arange(len(prefixes))
        grown_WO[places, last_W] = blank_W + logs_O[last_W]
        grown_WO[:, BLANK] = -np.inf
        # A prefix that grows into another of the beam adds its paths to that one's.
        place_of = {prefix: place for place, prefix in enumerate(prefixes)}
        for place, prefix in enumerate(prefixes):
            shorter = place_of.get(prefix[:-1]) if prefix else None
            if shorter is not None:
                again_W[place] = np.logaddexp(again_W[place], grown_WO[shorter, prefix[-1]])
                grown_WO[shorter, prefix[-1]] = -np.inf
        total = np.concatenate([np.logaddexp(stays_W, again_W), grown_WO.ravel()])
        # Stable, so that equal ones do not depend on how many there are.
        best = np.argsort(-total, kind="stable")[:width]
        best = best[total[best] > -np.inf]
        kept = best < len(prefixes)
        owners, tokens = np.divmod(best - len(prefixes), num_outputs)
        blank_W = np.where(kept, stays_W[np.where(kept, best, 0)], -np.inf)
        token_W = np.where(kept, again_W[np.where(kept, best, 0)], total[best])
        prefixes = [
            prefixes[int(b)] if k else (*prefixes[int(owner)], int(token))
            for b, k, owner, token in zip(best, kept, owners, tokens, strict=True)
        ]
    return list(prefixes[int(np.logaddexp(blank_W, token_W).argmax())])
