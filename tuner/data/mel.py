"""Recordings to log-mel frames, as the HTK Book (Young et al., chapter 5) makes filter-bank values.

N samples   T frames   K frequencies of a frame's spectrum   M mel bands
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tuner.data.audio import Audio

_FLOOR = 1e-10
"""Least energy of a band, of samples in [-1, 1]: a logarithm of silence."""
_FRAMES = 4096
"""Frames whose spectra are in memory at a time."""


def num_frames(num_samples: int, audio: Audio) -> int:
    """How many windows lie wholly within so many samples."""
    return max(0, 1 + (num_samples - audio.window_samples) // audio.hop_samples)


def log_mel(samples_N: np.ndarray, audio: Audio) -> np.ndarray:
    """frames_TM, float32: log energies of triangular filters, equally wide in mel.

    Each sample loses `pre_emphasis` of the one before, the first that of itself; a frame is
    weighted by a Hamming window, and its energies are its squared magnitudes.

    Args:
        samples_N: in [-1, 1], at the rate of `audio`, of one window or more.
        audio: the settings.
    """
    samples_N = samples_N.astype(np.float64)
    before_N = np.concatenate([samples_N[:1], samples_N[:-1]])
    emphasised_N = samples_N - audio.pre_emphasis * before_N
    windows_TN = np.lib.stride_tricks.sliding_window_view(emphasised_N, audio.window_samples)
    windows_TN = windows_TN[:: audio.hop_samples]
    shape_N, filters_MK = np.hamming(audio.window_samples), filters(audio)
    pieces = []
    for start in range(0, len(windows_TN), _FRAMES):
        weighted_TN = windows_TN[start : start + _FRAMES] * shape_N
        power_TK = np.abs(np.fft.rfft(weighted_TN, audio.fft_samples, axis=1)) ** 2
        pieces.append(np.log(np.maximum(power_TK @ filters_MK.T, _FLOOR)))
    frames_TM = np.concatenate(pieces)
    if audio.normalization != "none":
        frames_TM -= frames_TM.mean(axis=0)
    if audio.normalization == "standard":
        deviation_M = frames_TM.std(axis=0)
        frames_TM /= np.where(deviation_M > 0, deviation_M, 1)
    return frames_TM.astype(np.float32)


@lru_cache(maxsize=4)
def filters(audio: Audio) -> np.ndarray:
    """filters_MK: each rises from its lower edge to 1 at its peak and falls to its upper one."""
    bins_K, edges = np.array(audio.bins), np.array(audio.edges)
    low_M1, peak_M1, high_M1 = (edges[k : k + audio.bands, None] for k in range(3))
    rise_MK = (bins_K - low_M1) / (peak_M1 - low_M1)
    fall_MK = (high_M1 - bins_K) / (high_M1 - peak_M1)
    filters_MK: np.ndarray = np.maximum(np.minimum(rise_MK, fall_MK), 0)
    return filters_MK
