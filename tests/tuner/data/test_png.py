"""PNG files of every kind that is read, beside another library's reading, and broken ones."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest

from tuner.data import png

Image = pytest.importorskip("PIL.Image")

CHANCE = np.random.default_rng(0)
PIXELS_HWC = CHANCE.integers(0, 256, (9, 13, 3), dtype=np.uint8)


def saved(pixels: np.ndarray, mode: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "PNG", **options)
    return file.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_written_is_read_back(channels: int) -> None:
    pixels_HWC = PIXELS_HWC[..., :channels]
    content = png.encode(pixels_HWC)
    np.testing.assert_allclose(png.decode(content), pixels_HWC / 255, atol=1e-6)
    again = np.asarray(Image.open(io.BytesIO(content))).reshape(pixels_HWC.shape)
    np.testing.assert_array_equal(again, pixels_HWC)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "I;16"])
def test_every_kind_is_read_as_another_library_reads_it(mode: str) -> None:
    # Smooth ones make writers choose among all filters.
    smooth_HW = np.add.outer(np.arange(40) ** 2 % 251, 3 * np.arange(50)) % 256
    if mode == "I;16":
        wide_HW = (smooth_HW * 200).astype(np.uint16)
        file = io.BytesIO()
        Image.fromarray(wide_HW).save(file, "PNG")
        np.testing.assert_allclose(png.decode(file.getvalue())[..., 0], wide_HW / 65535, atol=1e-6)
        return
    pixels_HWC = np.stack([smooth_HW, smooth_HW[::-1], smooth_HW // 2], 2)
    content = saved(pixels_HWC.astype(np.uint8), mode)
    image = Image.open(io.BytesIO(content))
    expected = np.asarray(image.convert("L" if mode in ("L", "1") else "RGB")) / 255
    np.testing.assert_allclose(png.decode(content).squeeze(), expected, atol=1e-6)


def test_what_is_transparent_lies_on_white() -> None:
    alpha_HW1 = np.full((9, 13, 1), 255, np.uint8)
    alpha_HW1[0, 0] = 0
    found = png.decode(saved(np.concatenate([PIXELS_HWC, alpha_HW1], 2), "RGBA"))
    np.testing.assert_allclose(found[0, 0], 1.0)
    np.testing.assert_allclose(found[1:], PIXELS_HWC[1:] / 255, atol=1e-6)


@pytest.mark.parametrize("how", range(5))
def test_every_filter_is_undone(how: int) -> None:
    """By the specification's own words, byte by byte."""
    height, width, channels = PIXELS_HWC.shape
    rows_HR = PIXELS_HWC.reshape(height, -1).astype(int)
    told = []
    for y in range(height):
        row = [how]
        for i in range(width * channels):
            left = rows_HR[y, i - channels] if i >= channels else 0
            up = rows_HR[y - 1, i] if y else 0
            corner = rows_HR[y - 1, i - channels] if y and i >= channels else 0
            nearest = min((left, up, corner), key=lambda v: abs(left + up - corner - v))  # noqa: B023
            guess = [0, left, up, (left + up) // 2, nearest][how]
            row.append((rows_HR[y, i] - guess) % 256)
        told.append(bytes(row))
    plain = png.encode(PIXELS_HWC)
    start = plain.index(b"IDAT") - 4
    content = plain[:start] + png._chunk(b"IDAT", zlib.compress(b"".join(told)))
    np.testing.assert_allclose(png.decode(content), PIXELS_HWC / 255, atol=1e-6)


def header(
    width: int = 4, height: int = 4, depth: int = 8, colour: int = 0, lace: int = 0
) -> bytes:
    body = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, lace)
    return png.SIGNATURE + png._chunk(b"IHDR", body)


WHOLE = png.encode(PIXELS_HWC)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"GIF89a", "signature"),
        (png.SIGNATURE, "no header"),
        (WHOLE[:50], "ends too early"),
        (WHOLE[:45] + bytes([WHOLE[45] ^ 1]) + WHOLE[46:], "damaged"),
        (header(1 << 20, 1 << 20), "pixels"),
        (header(depth=3), "3 bits"),
        (header(lace=1), "interlaced"),
        (header() + png._chunk(b"IDAT", b"nothing"), "unpacked"),
        (header() + png._chunk(b"IDAT", zlib.compress(b"\x00" * 3)), "3 bytes"),
        (header() + png._chunk(b"IDAT", zlib.compress(b"\x09" * 20)), "filter 9"),
        (header(colour=3) + png._chunk(b"IDAT", zlib.compress(b"\x00" * 20)), "palette"),
    ],
)
def test_what_is_no_picture_is_refused(content: bytes, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        png.decode(content)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = zlib.compress(b"\x00" * (1 << 26), 9)
    found = png.decode(header() + png._chunk(b"IDAT", bomb))
    assert found.shape == (4, 4, 1)
