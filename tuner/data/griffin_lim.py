"""Log-mel frames to samples that sound like them (Griffin and Lim, 1984).

N samples   T frames   K frequencies of a frame's spectrum   M mel bands

A frame says how loud each band is. What is lost, how loud each frequency is within a band and at
which phase, is looked for: first frequencies that give the bands, then samples whose spectra, frame
by frame, are as loud as those.
"""

from __future__ import annotations

import numpy as np

from tuner.data import mel
from tuner.data.audio import Audio

ITERATIONS = 60
"""Of the phases."""
_FITTED = 100
"""Of the frequencies; each comes closer to the bands."""
_MOMENTUM = 0.99
"""How far each step goes on past the one before (Perraudin, Balazs and Søndergaard, 2013)."""
_LEAST = 1e-12
"""What divides is at least as large."""


def samples(frames_TM: np.ndarray, audio: Audio, iterations: int = ITERATIONS) -> np.ndarray:
    """samples_N, float32: what `mel.log_mel` would make such frames of.

    The same frames always give the same samples. Frames from which a recording's own mean was taken
    say nothing of how loud it was, so that `audio.normalization` must be `none`.

    Args:
        frames_TM: log energies, one frame or more.
        audio: how frames are made of recordings.
        iterations: of the phases; more come closer.
    """
    assert audio.normalization == "none", "frames that say how loud they are"
    magnitude_TK = np.sqrt(spectrum(frames_TM, audio))
    emphasised_N = phased(magnitude_TK, audio, iterations)
    found_N = np.empty_like(emphasised_N)
    before = 0.0
    for n, sample in enumerate(emphasised_N.tolist()):
        before = sample + audio.pre_emphasis * before
        found_N[n] = before
    return found_N.astype(np.float32)


def spectrum(frames_TM: np.ndarray, audio: Audio) -> np.ndarray:
    """power_TK ≥ 0 whose bands are those of the frames, as nearly as can be.

    By the multiplicative steps of Lee and Seung (1999), which keep shares of each band right, loud
    or soft; frequencies outside all bands are silent.
    """
    energy_TM = np.exp(frames_TM.astype(np.float64))
    filters_MK = mel.filters(audio)
    total_K = filters_MK.sum(axis=0)
    heard_K = total_K > 0
    filters_MK = filters_MK[:, heard_K]
    power_TK = np.repeat(energy_TM.mean(axis=1, keepdims=True), heard_K.sum(), axis=1)
    for _ in range(_FITTED):
        ratio_TM = energy_TM / np.maximum(power_TK @ filters_MK.T, _LEAST)
        power_TK *= ratio_TM @ filters_MK / total_K[heard_K]
    found_TK = np.zeros((len(frames_TM), len(total_K)))
    found_TK[:, heard_K] = power_TK
    return found_TK


def phased(magnitude_TK: np.ndarray, audio: Audio, iterations: int) -> np.ndarray:
    """samples_N whose frames have nearly these magnitudes, by the fast Griffin-Lim algorithm."""
    chance = np.random.default_rng(0)
    phase_TK = np.exp(2j * np.pi * chance.random(magnitude_TK.shape))
    wanted_TK = magnitude_TK * phase_TK
    before_TK = wanted_TK
    for _ in range(iterations):
        real_TK = transformed(_added(wanted_TK, audio), audio)
        further_TK = real_TK + _MOMENTUM * (real_TK - before_TK)
        before_TK = real_TK
        wanted_TK = magnitude_TK * further_TK / np.maximum(np.abs(further_TK), _LEAST)
    return _added(wanted_TK, audio)


def transformed(samples_N: np.ndarray, audio: Audio) -> np.ndarray:
    """spectra_TK, complex, of all whole windows."""
    windows_TN = np.lib.stride_tricks.sliding_window_view(samples_N, audio.window_samples)
    weighted_TN = windows_TN[:: audio.hop_samples] * np.hamming(audio.window_samples)
    spectra_TK: np.ndarray = np.fft.rfft(weighted_TN, audio.fft_samples, axis=1)
    return spectra_TK


def _added(spectra_TK: np.ndarray, audio: Audio) -> np.ndarray:
    """samples_N whose spectra are nearest to these by the squared difference: windows that overlap
    are added, weighted once more."""
    hop, size = audio.hop_samples, audio.window_samples
    shape_N = np.hamming(size)
    windows_TN = np.fft.irfft(spectra_TK, audio.fft_samples, axis=1)[:, :size] * shape_N
    sum_N = np.zeros((len(spectra_TK) - 1) * hop + size)
    weight_N = np.zeros_like(sum_N)
    for t, window_N in enumerate(windows_TN):
        sum_N[t * hop : t * hop + size] += window_N
        weight_N[t * hop : t * hop + size] += shape_N**2
    found_N: np.ndarray = sum_N / np.maximum(weight_N, _LEAST)
    return found_N
