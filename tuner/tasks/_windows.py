"""Windows of series as inputs: the past that a forecast may see, and what is known of its horizon.

B windows   R model rows: windows, or windows x channels where channels are shared   F channels
C targets   L steps of the past   J input steps: patches of the past   H steps ahead
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tuner.tasks import _cleaning
from tuner.tasks._base import Facts, scaled

if TYPE_CHECKING:
    from tuner.data.store import Steps
    from tuner.tasks.forecasting import InputConfig

_EPSILON = np.float32(1e-5)


class Windows:
    """Cuts inputs. A row is the place of a window's first target.

    An input step holds, beside each other: the patch of the past; what was observed in it
    (`missing_mask`); the channels known ahead; static channels; magnitudes (`spectral`); and which
    channel it is (`channel_embedding`).

    What is known of the H steps ahead is dealt out to the J input steps in its own order, the last
    step ahead with the last input step, and several to each where J < H: so a direct forecaster
    reads all of it, whatever the look-back.

    Where the horizon is decoded step by step, H - 1 steps follow the past, and each step holds what
    is known of the one after it. A step ahead holds its true targets first, for a recursive network
    to read in training, or nothing where a decoder does without.
    """

    def __init__(self, inputs: InputConfig, facts: Facts, horizon: int) -> None:
        self.inputs, self.facts, self.horizon = inputs, facts, horizon
        self.look_back = inputs.look_back - inputs.look_back % inputs.patch
        self.length = self.look_back // inputs.patch
        self.shared = inputs.channels == "shared"
        self.targets = np.asarray(facts.target_channels, dtype=np.int64)
        roles, num = facts.roles, len(facts.features)
        places = range(num)
        self._known = np.asarray(roles.known, dtype=np.int64)
        self._static = np.asarray(roles.static, dtype=np.int64)
        self._stepwise = inputs.decoding != "direct"
        recursive = inputs.decoding == "recursive"
        own = [f for f in places if f not in {*roles.known, *roles.static}]
        if recursive:
            own = list(facts.target_channels)
        framed = self.targets if self.shared else [f for f in own if f not in roles.plain]
        self._framed = np.asarray(framed, dtype=np.int64)
        self._unframed = np.setdiff1d(places, self._framed)
        self._past = self.targets if self.shared else np.asarray(own, dtype=np.int64)
        masked = _cleaning.masked(facts) if inputs.missing_mask else np.zeros(0, dtype=np.int64)
        masked = masked[np.isin(masked, own)] if recursive else masked
        if self.shared:
            masked = self.targets if np.isin(masked, self.targets).any() else masked[:0]
        self._masked = masked
        self._ahead = -(-horizon // self.length) if len(self._known) and not self._stepwise else 0
        each = [len(self._past), len(self._masked), len(self._framed)]
        if self.shared:
            each = [1, int(len(self._masked) > 0), 1]
        self.num_inputs = (
            inputs.patch * (each[0] + each[1] + len(self._known))
            + self._ahead * len(self._known)
            + len(self._static)
            + inputs.spectral * each[2]
            + (len(self.targets) if inputs.channel_embedding and self.shared else 0)
        )

    def cut(self, steps: Steps, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Inputs x_RJI, and what the forecasts of each window are to be shifted and scaled by."""
        lead = self.inputs.smooth - 1
        first_B = steps.offset_S[series_of(steps, rows)]
        index_BL = rows[:, None] + np.arange(-self.look_back - lead, 0)
        index_BL = np.maximum(index_BL, first_B[:, None])
        raw_BLF = _cleaning.clipped(steps.values_NF[index_BL], self.facts.statistics)
        plain_BLF, index_BL = raw_BLF[:, lead:], index_BL[:, lead:]
        past_BLF = self._scaled(plain_BLF)
        shift_B1F, scale_B1F = self._frame(past_BLF)
        if lead:
            past_BLF = self._scaled(_cleaning.smoothed(raw_BLF, lead, 0, self.facts))
        past_BLF = np.nan_to_num((past_BLF - shift_B1F) / scale_B1F)
        if self._stepwise:
            past_BLF = self._prolonged(steps, rows, past_BLF, shift_B1F, scale_B1F)
        if self.inputs.scaling != "standard":
            shift_B1F, scale_B1F = self._frame(self._scaled(plain_BLF, "standard"))
        shift, scale = (self._rows(a[:, :, self.targets]) for a in (shift_B1F, scale_B1F))
        return self._joined(steps, rows, index_BL, past_BLF), shift, scale

    def _joined(
        self, steps: Steps, rows: np.ndarray, index_BL: np.ndarray, past_BLF: np.ndarray
    ) -> np.ndarray:
        """All that an input step holds, side by side."""
        patches = [self._rows(past_BLF[:, :, self._past])]
        if len(self._masked):
            seen_BLM = _cleaning.observed(steps, index_BL, self._masked)
            more = past_BLF.shape[1] - seen_BLM.shape[1]
            # A forecast that is fed back is there; what a decoder does without is not.
            there = self.inputs.decoding == "recursive"
            seen_BLM = np.pad(seen_BLM, ((0, 0), (0, more), (0, 0)), constant_values=there)
            patches.append(self._rows(seen_BLM))
        if len(self._known):
            patches.append(self._same(past_BLF[:, :, self._known]))
        past = np.concatenate(patches, axis=2) if len(patches) > 1 else patches[0]
        length = past.shape[1] // self.inputs.patch
        blocks = [past.reshape(len(past), length, -1)]
        if self._ahead:
            blocks.append(self._same(self._horizon(steps, rows)))
        if len(self._static):
            now_B1F = past_BLF[:, self.look_back - 1 : self.look_back]
            blocks.append(self._same(now_B1F[:, :, self._static]))
        if bins := self.inputs.spectral:
            x_BLF = past_BLF[:, : self.look_back, self._framed]
            size_BKF = np.abs(np.fft.rfft(x_BLF, axis=1)[:, :bins])
            size_BKF = size_BKF / np.float32(self.look_back)
            if self.shared:
                blocks.append(self._rows(size_BKF).transpose(0, 2, 1))
            else:
                blocks.append(size_BKF.reshape(len(rows), 1, -1))
        if self.shared and self.inputs.channel_embedding:
            which_CC = np.eye(len(self.targets), dtype=np.float32)
            blocks.append(np.tile(which_CC, (len(rows), 1))[:, None])
        if len(blocks) == 1:
            return blocks[0]
        whole = [np.broadcast_to(b, (len(past), length, b.shape[2])) for b in blocks]
        return np.concatenate(whole, axis=2)

    def _prolonged(
        self,
        steps: Steps,
        rows: np.ndarray,
        past_BLF: np.ndarray,
        shift_B1F: np.ndarray,
        scale_B1F: np.ndarray,
    ) -> np.ndarray:
        """The past and the steps ahead but the last, where each holds what its successor's known
        channels do."""
        ahead_BHF = np.nan_to_num((self._future(steps, rows) - shift_B1F) / scale_B1F)
        known_BTK = np.concatenate([past_BLF, ahead_BHF], axis=1)[:, 1:, self._known]
        if self.inputs.decoding == "seq2seq":
            ahead_BHF[...] = 0
        whole_BTF = np.concatenate([past_BLF, ahead_BHF[:, :-1]], axis=1)
        whole_BTF[:, :, self._known] = known_BTK
        return whole_BTF

    def _future(self, steps: Steps, rows: np.ndarray) -> np.ndarray:
        """All channels of the steps ahead, clipped and scaled."""
        index_BH = np.minimum(rows[:, None] + np.arange(self.horizon), len(steps.values_NF) - 1)
        values_BHF = _cleaning.clipped(steps.values_NF[index_BH], self.facts.statistics)
        return self._scaled(values_BHF)

    def _horizon(self, steps: Steps, rows: np.ndarray) -> np.ndarray:
        """What is known of the horizon, `_ahead` steps of it with each input step."""
        known_BHK = np.nan_to_num(self._future(steps, rows)[:, :, self._known])
        slots = np.zeros((len(rows), self._ahead * self.length, len(self._known)), np.float32)
        slots[:, -self.horizon :] = known_BHK
        return slots.reshape(len(rows), self.length, -1)

    def _rows(self, values_BTC: np.ndarray) -> np.ndarray:
        """Where channels are shared, each channel of a window becomes a row of its own."""
        if not self.shared:
            return values_BTC
        return per_channel(values_BTC)

    def _same(self, values_BTK: np.ndarray) -> np.ndarray:
        """The same for all channels of a window."""
        return np.repeat(values_BTK, len(self.targets), axis=0) if self.shared else values_BTK

    def _scaled(self, values: np.ndarray, how: str | None = None) -> np.ndarray:
        found = scaled(values, self.facts.statistics, how or self.inputs.scaling)
        return found.astype(np.float32, copy=False)

    def _frame(self, past_BLF: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shift and scale of each window and channel, from what was observed in it."""
        rows, _, features = past_BLF.shape
        shift_B1F = np.zeros((rows, 1, features), dtype=np.float32)
        scale_B1F = np.ones_like(shift_B1F)
        how = self.inputs.normalization
        if how == "none":
            return shift_B1F, scale_B1F
        seen_BLF = np.isfinite(past_BLF)
        if how == "last":
            length = past_BLF.shape[1]
            last_B1F = np.where(seen_BLF, np.arange(length)[:, None], 0).max(axis=1, keepdims=True)
            shift_B1F = np.nan_to_num(np.take_along_axis(past_BLF, last_B1F, axis=1))
        else:
            count_B1F = np.maximum(seen_BLF.sum(axis=1, keepdims=True), 1).astype(np.float32)
            filled_BLF = np.where(seen_BLF, past_BLF, np.float32(0))
            shift_B1F = filled_BLF.sum(axis=1, keepdims=True) / count_B1F
        if how == "mean_std":
            spread_BLF = np.where(seen_BLF, past_BLF - shift_B1F, np.float32(0))
            variance_B1F = np.square(spread_BLF).sum(axis=1, keepdims=True) / count_B1F
            scale_B1F = np.sqrt(variance_B1F + _EPSILON)
        # A category, a static channel or one known ahead says nothing once its level is gone.
        shift_B1F[:, :, self._unframed], scale_B1F[:, :, self._unframed] = 0, 1
        return shift_B1F, scale_B1F


def per_channel(values_BTC: np.ndarray) -> np.ndarray:
    """Windows x steps x channels → (windows x channels) x steps x 1."""
    rows, length, channels = values_BTC.shape
    return values_BTC.transpose(0, 2, 1).reshape(rows * channels, length, 1)


def series_of(steps: Steps, rows: np.ndarray) -> np.ndarray:
    """The series that each row's first target belongs to, or would as its next step."""
    found: np.ndarray = np.searchsorted(steps.offset_S, rows - 1, side="right") - 1
    return found
