"""PNG files as arrays and back, by the W3C's specification; interlaced ones are not read.

H rows   W columns   C channels: grey, or red, green and blue
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_PIXELS = 1 << 26
"""Of one picture: what a small file may claim to hold has an end."""

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By colour type: grey, RGB, palette, grey with alpha, RGB with alpha."""
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def decode(content: bytes) -> np.ndarray:
    """pixels_HWC, float32 in [0, 1]; what is transparent lies on white.

    Raises:
        ValueError: what is wrong with the file, in words.
    """
    if not content.startswith(SIGNATURE):
        raise ValueError("no PNG signature")
    width = height = depth = colour = 0
    data, palette, alpha = [], b"", b""
    for kind, body in _chunks(content):
        if kind == b"IHDR":
            if len(body) != 13:
                raise ValueError("a header of another length")
            width, height, depth, colour, packing, filtering, interlacing = struct.unpack(
                ">IIBBBBB", body
            )
            if not width or not height or width * height > MOST_PIXELS:
                raise ValueError(f"{width} by {height} pixels")
            if depth not in _DEPTHS.get(colour, ()) or packing or filtering:
                raise ValueError(f"colour type {colour} with {depth} bits")
            if interlacing:
                raise ValueError("an interlaced picture")
        elif kind == b"PLTE":
            palette = body
        elif kind == b"tRNS":
            alpha = body
        elif kind == b"IDAT":
            data.append(body)
        elif kind == b"IEND":
            break
    if not width:
        raise ValueError("no header")
    channels = _CHANNELS[colour]
    row_bytes = (width * channels * depth + 7) // 8
    rows_HR = _unfiltered(
        _inflated(b"".join(data), height * (row_bytes + 1)),
        height,
        row_bytes,
        max(channels * depth // 8, 1),
    )
    whole_HWC = _samples(rows_HR, width, channels, depth)
    if colour == 3:
        samples_HWC = _looked_up(whole_HWC[..., 0], palette, alpha)
    else:
        samples_HWC = whole_HWC / (2**depth - 1)
    if samples_HWC.shape[2] in (2, 4):
        opaque = samples_HWC[..., -1:]
        samples_HWC = samples_HWC[..., :-1] * opaque + (1 - opaque)
    return samples_HWC.astype(np.float32)


def encode(pixels_HWC: np.ndarray) -> bytes:
    """A picture of 8 bits, of one channel or three, from uint8."""
    height, width, channels = pixels_HWC.shape
    assert pixels_HWC.dtype == np.uint8 and channels in (1, 3)
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    rows_HR = np.pad(pixels_HWC.reshape(height, -1), ((0, 0), (1, 0)))
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows_HR.tobytes(), 9)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, body) for kind, body in parts)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(SIGNATURE)
    while place < len(content):
        if place + 12 > len(content):
            raise ValueError("a file that ends too early")
        (size,) = struct.unpack_from(">I", content, place)
        kind, body = content[place + 4 : place + 8], content[place + 8 : place + 8 + size]
        end = content[place + 8 + size : place + 12 + size]
        if len(end) < 4:
            raise ValueError("a file that ends too early")
        if struct.unpack(">I", end)[0] != zlib.crc32(kind + body):
            raise ValueError(f"a damaged chunk {kind.decode('latin-1')!r}")
        yield kind, body
        place += 12 + size


def _inflated(data: bytes, expected: int) -> bytes:
    """No more than a picture of this size takes, whatever the file holds."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(data, expected)
    except zlib.error as broken:
        raise ValueError(f"pixels that cannot be unpacked ({broken})") from None
    if len(found) < expected:
        raise ValueError(f"{len(found):,} bytes of pixels instead of {expected:,}")
    return found


def _unfiltered(data: bytes, height: int, row_bytes: int, back: int) -> np.ndarray:
    """rows_HR, uint8: each row told by what lies left of it, `back` bytes, and above."""
    raw_HR = np.frombuffer(data, np.uint8).reshape(height, row_bytes + 1)
    found_HR = np.empty((height, row_bytes), np.uint8)
    above_R = np.zeros(row_bytes, np.uint8)
    for row_R, out_R in zip(raw_HR, found_HR, strict=True):
        how, told_R = int(row_R[0]), row_R[1:]
        if how == 0:
            out_R[:] = told_R
        elif how == 1:
            padded = np.pad(told_R, (0, -row_bytes % back)).reshape(-1, back)
            out_R[:] = np.cumsum(padded, axis=0, dtype=np.uint8).reshape(-1)[:row_bytes]
        elif how == 2:
            out_R[:] = told_R + above_R
        elif how in (3, 4):
            predict = _average if how == 3 else _paeth
            out_R[:] = np.frombuffer(
                predict(told_R.tobytes(), above_R.tobytes(), back), dtype=np.uint8
            )
        else:
            raise ValueError(f"a row with filter {how}")
        above_R = out_R
    return found_HR


def _average(told: bytes, above: bytes, back: int) -> bytearray:
    found = bytearray(told)
    for i in range(len(told)):
        left = found[i - back] if i >= back else 0
        found[i] = (told[i] + (left + above[i]) // 2) & 255
    return found


def _paeth(told: bytes, above: bytes, back: int) -> bytearray:
    """The neighbour that is nearest to left + above - upper left."""
    found = bytearray(told)
    for i in range(len(told)):
        left, corner = (found[i - back], above[i - back]) if i >= back else (0, 0)
        up = above[i]
        near_left, near_up = abs(up - corner), abs(left - corner)
        near_corner = abs(left + up - 2 * corner)
        if near_left <= near_up and near_left <= near_corner:
            guess = left
        else:
            guess = up if near_up <= near_corner else corner
        found[i] = (told[i] + guess) & 255
    return found


def _samples(rows_HR: np.ndarray, width: int, channels: int, depth: int) -> np.ndarray:
    """samples_HWC as whole numbers."""
    height = len(rows_HR)
    if depth == 16:
        return np.ascontiguousarray(rows_HR).view(">u2").reshape(height, width, channels)
    if depth < 8:
        bits_HB = np.unpackbits(rows_HR, axis=1)[:, : width * depth]
        weights = 1 << np.arange(depth - 1, -1, -1)
        values_HW: np.ndarray = bits_HB.reshape(height, width, depth) @ weights
        return values_HW[..., None]
    return rows_HR.reshape(height, width, channels)


def _looked_up(place_HW: np.ndarray, palette: bytes, alpha: bytes) -> np.ndarray:
    """samples_HW4 in [0, 1] of places in a palette."""
    colours = len(palette) // 3
    if colours <= int(place_HW.max()):
        raise ValueError(f"a colour {place_HW.max()} of a palette of {colours}")
    colour_P3 = np.frombuffer(palette[: 3 * colours], np.uint8).reshape(-1, 3)
    opaque_P = np.frombuffer(alpha[:colours].ljust(colours, b"\xff"), np.uint8)
    found: np.ndarray = np.concatenate([colour_P3, opaque_P[:, None]], axis=1)[place_HW] / 255
    return found
