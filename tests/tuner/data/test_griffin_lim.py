"""Frames become samples of the same frames, nearer with every step."""

from __future__ import annotations

import numpy as np
import pytest

from tuner.data import griffin_lim, mel, wav
from tuner.data.audio import Audio

RATE = 4_000
AUDIO = Audio(rate=RATE, bands=20, window=32, hop=8)


def tones(rng: np.random.Generator) -> np.ndarray:
    """Half a second each of three tones that rise and fall, in some noise."""
    time_N = np.arange(RATE // 2) / RATE
    loud_N = np.sin(np.pi * time_N / time_N[-1])
    pieces = [0.5 * loud_N * np.sin(2 * np.pi * pitch * time_N) for pitch in (300, 700, 1300)]
    samples_N = np.concatenate(pieces)
    noisy_N: np.ndarray = samples_N + rng.normal(0, 0.01, len(samples_N))
    return noisy_N


@pytest.fixture(scope="module")
def frames_TM() -> np.ndarray:
    return mel.log_mel(tones(np.random.default_rng(0)), AUDIO)


def distance(frames_TM: np.ndarray, iterations: int) -> float:
    """Mean absolute difference of log-mel frames, in nats, after a file of 16 bits."""
    samples_N = griffin_lim.samples(frames_TM, AUDIO, iterations)
    heard = wav.decode(wav.encode(samples_N, RATE))
    return float(np.abs(mel.log_mel(heard.samples_N, AUDIO) - frames_TM).mean())


def test_a_round_trip_keeps_the_frames(frames_TM: np.ndarray) -> None:
    assert frames_TM.std() > 2
    assert distance(frames_TM, griffin_lim.ITERATIONS) < 0.4
    assert distance(frames_TM, 0) > 1, "random phases would do"


def test_as_many_samples_come_out_as_went_in(frames_TM: np.ndarray) -> None:
    found_N = griffin_lim.samples(frames_TM, AUDIO, 1)
    assert found_N.dtype == np.float32
    assert mel.num_frames(len(found_N), AUDIO) == len(frames_TM)
    np.testing.assert_array_equal(found_N, griffin_lim.samples(frames_TM, AUDIO, 1))


def test_spectra_come_nearer_with_every_step(frames_TM: np.ndarray) -> None:
    magnitude_TK = np.sqrt(griffin_lim.spectrum(frames_TM, AUDIO))

    def convergence(iterations: int) -> float:
        """The share of the magnitudes that is missed (Sturmel and Daudet, 2011)."""
        samples_N = griffin_lim.phased(magnitude_TK, AUDIO, iterations)
        missed_TK = np.abs(griffin_lim.transformed(samples_N, AUDIO)) - magnitude_TK
        return float(np.linalg.norm(missed_TK) / np.linalg.norm(magnitude_TK))

    found = [convergence(iterations) for iterations in (0, 5, 20, 60)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.5 * found[0]


def test_frequencies_give_the_bands_and_none_is_below_zero(frames_TM: np.ndarray) -> None:
    power_TK = griffin_lim.spectrum(frames_TM, AUDIO)
    assert (power_TK >= 0).all()
    bands_TM = np.log(power_TK @ mel.filters(AUDIO).T)
    assert np.abs(bands_TM - frames_TM).mean() < 0.05


def test_emphasis_is_taken_back() -> None:
    """What is low is as loud as it was, though its frames were made without most of it."""
    samples_N = 0.5 * np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE)
    frames_TM = mel.log_mel(samples_N, AUDIO)
    found_N = griffin_lim.samples(frames_TM, AUDIO)
    middle = slice(RATE // 4, 3 * RATE // 4)
    assert np.std(found_N[middle]) == pytest.approx(np.std(samples_N[middle]), rel=0.2)
