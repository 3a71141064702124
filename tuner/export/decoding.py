"""What a bundle with a decoder gives: its two graphs, called as the network is; needs no torch.

B sequences   N rows of a search   U tokens of the longest target   L of the longest text   V ids
Of frames U are those of the longest target, L of the longest answer, M bands and O numbers of one
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tuner.beam import Search, search
from tuner.data.ids import END, START, UNKNOWN
from tuner.frames import unrolled

if TYPE_CHECKING:
    from tuner.export.bundle import Bundle
    from tuner.tasks._base import Batch, Outputs, Task


_ROWS = 512
"""Most rows of a search at once."""


def answered(bundle: Bundle, batch: Batch, task: Task) -> Outputs:
    """The outputs of the network that a bundle holds, as its task scores and decodes them.

    Raises:
        DataError: `bundle/inputs`, arrays of another shape, or lengths outside 1 … T.
    """
    if task.search is not None:
        return decoded(bundle, batch, task.search)
    if task.most_frames:
        return given(bundle, batch, task.most_frames)
    return bundle.run(*batch.given)


def decoded(bundle: Bundle, batch: Batch, how: Search) -> tuple[np.ndarray, np.ndarray]:
    """logp_BU of the targets, and the ids that are decoded, decoded_BL, padded with 0.

    Raises:
        DataError: `bundle/inputs`, arrays of another shape, or lengths outside 1 … T.
    """
    num, most = len(batch.lengths), max(_ROWS // how.width, 1)
    scores, texts = [], []
    for start in range(0, num, most):
        rows = slice(start, start + most)
        lengths_B = batch.lengths[rows]
        encoded = bundle.encode(batch.inputs[rows], lengths_B)
        if bundle.contents.about.signature.fixed:
            # Of a picture as many patches are kept as it has.
            lengths_B = np.full(len(lengths_B), encoded[0].shape[1])
        texts += search(_Steps(bundle, encoded, lengths_B), len(lengths_B), how)
        scores.append(_scores(_Steps(bundle, encoded, lengths_B), batch.targets[rows]))
    decoded_BL = np.zeros((num, max([1, *map(len, texts)])), dtype=np.int64)
    for row_L, ids in zip(decoded_BL, texts, strict=True):
        row_L[: len(ids)] = ids
    return np.concatenate(scores) if scores else np.zeros(batch.targets.shape), decoded_BL


def given(bundle: Bundle, batch: Batch, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y_BUO of each frame after the true ones, and the frames that are given freely, given_BLM,
    padded with 0, and how many.

    Raises:
        DataError: as for `answered`.
    """
    wants = bundle.contents.about.signature.decoder
    assert wants is not None
    encoded = bundle.encode(batch.inputs, batch.lengths)
    kept, start = encoded[: len(wants.kept)], encoded[len(wants.kept) :]
    states = start

    def step(frame_BM: np.ndarray) -> np.ndarray:
        nonlocal states
        y_BSO, states = bundle.step(frame_BM, batch.lengths, kept, states)
        return y_BSO

    num, num_frames, bands = batch.targets.shape
    found, last_BM = [], np.zeros((num, bands), dtype=np.float32)
    per_step = wants.frames_per_step
    for end in range(per_step, num_frames + per_step, per_step):
        found.append(step(last_BM))
        last_BM = batch.targets[:, min(end, num_frames) - 1]
    y_BUO = np.concatenate(found, axis=1)[:, :num_frames]
    states = start
    return y_BUO, *unrolled(step, num, bands, most)


def _scores(steps: _Steps, targets_BU: np.ndarray) -> np.ndarray:
    rows_B = np.arange(len(targets_BU))
    found, ids_B = np.zeros(targets_BU.shape, dtype=np.float32), np.full(len(rows_B), START)
    for u, target_B in enumerate(targets_BU.T):
        logp_BV = steps.after(ids_B, rows_B)
        ids_B = np.where(target_B < logp_BV.shape[1], target_B, UNKNOWN)
        found[:, u] = logp_BV[rows_B, ids_B]
    return found


@dataclass
class _Steps:
    """The decoder's graph as a search calls it."""

    bundle: Bundle
    encoded: list[np.ndarray]
    lengths_N: np.ndarray
    _states: list[np.ndarray] = field(init=False)
    _kept: list[np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        wants = self.bundle.contents.about.signature.decoder
        assert wants is not None
        self._kept = self.encoded[: len(wants.kept)]
        self._states = self.encoded[len(wants.kept) :]

    def __call__(
        self, ids_N: np.ndarray, parents_N: np.ndarray, most: int
    ) -> tuple[np.ndarray, np.ndarray]:
        logp_NV = self.after(ids_N, parents_N)
        # Neither padding nor the unknown token nor the start is ever decoded.
        logp_NV[:, :END] = -np.inf
        most = min(most, logp_NV.shape[1])
        some_NC = np.argpartition(-logp_NV, most - 1, axis=1)[:, :most]
        score_NC = np.take_along_axis(logp_NV, some_NC, axis=1)
        order_NC = np.argsort(-score_NC, axis=1, kind="stable")
        return (
            np.take_along_axis(score_NC, order_NC, axis=1),
            np.take_along_axis(some_NC, order_NC, axis=1),
        )

    def after(self, ids_N: np.ndarray, parents_N: np.ndarray) -> np.ndarray:
        """logp_NV of what comes next."""
        if not np.array_equal(parents_N, np.arange(len(self.lengths_N))):
            self._kept = [part[parents_N] for part in self._kept]
            self._states = [part[:, parents_N] for part in self._states]
            self.lengths_N = self.lengths_N[parents_N]
        logits_NV, self._states = self.bundle.step(ids_N, self.lengths_N, self._kept, self._states)
        top_N1 = logits_NV.max(axis=1, keepdims=True)
        rest_N1 = np.log(np.exp(logits_NV - top_N1).sum(axis=1, keepdims=True))
        logp_NV: np.ndarray = logits_NV - top_N1 - rest_N1
        return logp_NV
