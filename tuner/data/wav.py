"""WAV files to samples (Microsoft and IBM, Multimedia Programming Interface, 1991).

N samples   C channels

Python's `wave` knows neither floats nor the extensible header in which many tools write 24 bits.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_KINDS = {
    (_PCM, 8),
    (_PCM, 16),
    (_PCM, 24),
    (_PCM, 32),
    (_FLOAT, 32),
    (_FLOAT, 64),
}


@dataclass(frozen=True)
class Wav:
    """One recording."""

    samples_N: np.ndarray
    """float32 in [-1, 1] (floats may lie beyond): the mean of all channels."""
    rate: int
    """Samples per second."""


@dataclass(frozen=True)
class _Header:
    kind: int
    channels: int
    rate: int
    bits: int


def is_wav(start: bytes) -> bool:
    """Whether a file that begins like this says that it is a WAV file."""
    return start[:4] == b"RIFF" and start[8:12] == b"WAVE"


def decode(content: bytes) -> Wav:
    """A file's samples.

    Raises:
        ValueError: it is damaged or of a kind that is not read; the message is what was found.
    """
    if not is_wav(content):
        raise ValueError("no RIFF/WAVE header")
    header: _Header | None = None
    place = 12
    while place + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, place)
        body = place + 8
        if name == b"data":
            if header is None:
                raise ValueError("samples before any format")
            if size > len(content) - body:
                raise ValueError(f"{len(content) - body:,} of {size:,} bytes of samples")
            return Wav(_mono(content[body : body + size], header), header.rate)
        if name == b"fmt ":
            header = _header(content[body : body + size])
        # Chunks begin at even places.
        place = body + size + size % 2
    raise ValueError("no samples" if header else "no format")


def _header(body: bytes) -> _Header:
    if len(body) < 16:
        raise ValueError(f"a format of {len(body)} bytes")
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if kind == _EXTENSIBLE and len(body) >= 26:
        # The kind stands in the first bytes of a longer name.
        (kind,) = struct.unpack_from("<H", body, 24)
    if (kind, bits) not in _KINDS:
        raise ValueError(f"samples of kind {kind} with {bits} bits")
    if not channels or not rate:
        raise ValueError(f"{channels} channels at {rate} samples per second")
    return _Header(kind, channels, rate, bits)


def _mono(body: bytes, header: _Header) -> np.ndarray:
    width = header.bits // 8 * header.channels
    if len(body) % width:
        raise ValueError(f"{len(body):,} bytes of samples, {width} bytes each")
    values: np.ndarray
    match header.kind, header.bits:
        case (1, 8):
            values = (np.frombuffer(body, np.uint8).astype(np.float32) - 128) / 128
        case (1, 16):
            values = np.frombuffer(body, "<i2").astype(np.float32) / 2**15
        case (1, 24):
            parts = np.frombuffer(body, np.uint8).reshape(-1, 3)
            padded = np.zeros((len(parts), 4), dtype=np.uint8)
            padded[:, 1:] = parts
            values = (padded.reshape(-1).view("<i4") / 2**31).astype(np.float32)
        case (1, _):
            values = (np.frombuffer(body, "<i4") / 2**31).astype(np.float32)
        case (_, 32):
            values = np.frombuffer(body, "<f4").astype(np.float32)
        case _:
            values = np.frombuffer(body, "<f8").astype(np.float32)
    samples_N: np.ndarray = values.reshape(-1, header.channels).mean(axis=1)
    return samples_N


def encode(samples_N: np.ndarray, rate: int) -> bytes:
    """A file of 16-bit samples on one channel; what lies beyond [-1, 1] is cut off."""
    scaled = np.round(np.clip(samples_N, -1, 1) * (2**15 - 1)).astype("<i2")
    head = struct.pack("<HHIIHH", _PCM, 1, rate, 2 * rate, 2, 16)
    chunks = b"fmt " + struct.pack("<I", len(head)) + head
    chunks += b"data" + struct.pack("<I", scaled.nbytes) + scaled.tobytes()
    return b"".join([b"RIFF", struct.pack("<I", 4 + len(chunks)), b"WAVE", chunks])
