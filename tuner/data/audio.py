"""Section `data/audio` of a spec: how recordings become frames that a model reads."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from tuner.part import Config


class Audio(Config):
    """Log-mel features of WAV files, the same in training and wherever the model is used."""

    path: str = Field(default="path", min_length=1)
    """Column of a manifest that names each row's WAV file, relative to the manifest."""
    rate: int = Field(default=16_000, ge=1_000, le=192_000)
    """Samples per second of all files."""
    resample: bool = False
    """Bring files of another rate to this one instead of refusing them."""
    window: float = Field(default=25, gt=0, le=1_000)
    """Milliseconds of a frame."""
    hop: float = Field(default=10, gt=0, le=1_000)
    """Milliseconds from one frame to the next."""
    bands: int = Field(default=40, ge=1, le=256)
    """Mel bands of a frame, each an input."""
    low: float = Field(default=20, ge=0)
    """Hz at which the lowest band begins."""
    high: float | None = Field(default=None, gt=0)
    """Hz at which the highest band ends; by default half the rate."""
    pre_emphasis: float = Field(default=0.97, ge=0, lt=1)
    """Share of the sample before that is taken away from each; 0 for none."""
    normalization: Literal["none", "mean", "standard"] = "none"
    """What is taken out of each recording, band by band: nothing, its mean, or its mean and its
    deviation. How all training rows are scaled, `data/scaling` says."""

    @property
    def window_samples(self) -> int:
        """Samples of a frame."""
        return max(round(self.rate * self.window / 1_000), 1)

    @property
    def hop_samples(self) -> int:
        """Samples from one frame to the next."""
        return max(round(self.rate * self.hop / 1_000), 1)

    @property
    def fft_samples(self) -> int:
        """Samples of a frame with the zeros behind it, a power of two."""
        return 1 << (self.window_samples - 1).bit_length()

    @property
    def highest(self) -> float:
        """Hz at which the highest band ends."""
        return self.rate / 2 if self.high is None else self.high

    @property
    def edges(self) -> list[float]:
        """Mels at which bands begin, peak and end: as many as bands, and two."""
        low, high = mel(self.low), mel(self.highest)
        steps = self.bands + 1
        return [low + (high - low) * step / steps for step in range(steps + 1)]

    @property
    def bins(self) -> list[float]:
        """Mels of each frequency of a frame's spectrum."""
        size = self.fft_samples
        return [mel(self.rate * k / size) for k in range(size // 2 + 1)]

    @property
    def names(self) -> tuple[str, ...]:
        """What the bands are called as inputs."""
        return tuple(f"mel_{band}" for band in range(1, self.bands + 1))

    @model_validator(mode="after")
    def _bands_fit(self) -> Audio:
        if self.highest > self.rate / 2:
            raise ValueError(
                f"`data/audio/high` must be at most half the rate, {self.rate / 2:g} Hz, got "
                f"{self.highest:g}"
            )
        if self.low >= self.highest:
            raise ValueError(
                f"`data/audio/low` must be below the highest band's end, {self.highest:g} Hz, got "
                f"{self.low:g}"
            )
        bins, edges = self.bins, self.edges
        empty = [
            band + 1
            for band in range(self.bands)
            if not any(edges[band] < at < edges[band + 2] for at in bins)
        ]
        if empty:
            raise ValueError(
                f"`data/audio/bands` must be few enough for each to hold a frequency of a "
                f"{self.window:g} ms window, got {self.bands}, of which {len(empty)} hold none"
            )
        return self


def mel(hertz: float) -> float:
    """A pitch on the mel scale of O'Shaughnessy (1987), as the HTK Book (Young et al.) has it."""
    return 2595 * math.log10(1 + hertz / 700)
