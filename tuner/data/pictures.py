"""Rows that name PNG files to the rows of their pixels: a manifest becomes what a model reads.

H, W rows and columns of a file   h, w those that are read   C channels
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from tuner.data import manifests, png
from tuner.data.files import MAX_DECODED
from tuner.data.layout import Layout
from tuner.data.named_file import NamedFile
from tuner.data.picture import Picture
from tuner.data.table import Beside, RawTable
from tuner.errors import DataError, Mistake


def pixels(table: RawTable, path: Path | None, layout: Layout) -> RawTable:
    """The table with a row for each row of each picture's pixels, a column for each number in it.

    What else a row says is said again at each row of its pixels.

    Args:
        table: whose rows name PNG files, relative to the folder of `path`, or hold them.
        path: the file it was read from; None where rows may name nothing.
        layout: of the files, with `picture`.

    Raises:
        DataError: all files that are missing or no pictures, and rows that name none.
    """
    picture = layout.picture
    assert picture is not None
    names = table.columns.column_names
    named = manifests.named(table, path, "picture", picture.path, "PNG file")
    if len(named) * _num_bytes(picture) > MAX_DECODED:
        raise DataError(too_much(table.name))
    found_hwC, beside = _all(named, picture)
    values_RhF = np.empty((len(named), picture.height, len(picture.names)), np.float32)
    for row, file in enumerate(named):
        values_RhF[row] = found_hwC[file.name].reshape(picture.height, -1)
    owner_N = np.repeat(np.arange(len(named)), picture.height)
    kept = manifests.kept(layout, names)
    values = {name: manifests.repeated(table, name, owner_N) for name in kept}
    if layout.id == picture.path:
        # A picture with several texts is several sequences.
        values[picture.path] = pa.array(apart(_names(named))).take(pa.array(owner_N))
    elif layout.id is not None and layout.id in names:
        manifests.refuse_shared(table, "picture", layout.id)
    values_NF = values_RhF.reshape(-1, len(picture.names))
    values |= {
        name: pa.array(np.ascontiguousarray(values_NF[:, f]))
        for f, name in enumerate(picture.names)
    }
    return replace(
        table,
        columns=pa.table(values),
        place=lambda row: table.place(row // picture.height),
        beside=(*table.beside, *beside),
    )


def beside(table: RawTable, path: Path | None, picture: Picture) -> RawTable:
    """The table with the pixels of each picture that its rows name, once for all of its rows.

    Args:
        table: whose rows name PNG files, relative to the folder of `path`, or hold them.
        path: the file it was read from; None where rows may name nothing.
        picture: how they are read.

    Raises:
        DataError: as for `pixels`.
    """
    named = dict.fromkeys(manifests.named(table, path, "picture", picture.path, "PNG file"))
    if len(named) * _num_bytes(picture) > MAX_DECODED:
        raise DataError(too_much(table.name))
    found_hwC, files = _all(named, picture)
    return replace(table, pictures=found_hwC, beside=(*table.beside, *files))


def fitted(pixels_HWC: np.ndarray, picture: Picture) -> np.ndarray:
    """pixels_hwC, float32: of the wanted size and channels."""
    if pixels_HWC.shape[2] > picture.channels:
        pixels_HWC = pixels_HWC.mean(axis=2, keepdims=True)
    elif pixels_HWC.shape[2] < picture.channels:
        pixels_HWC = np.repeat(pixels_HWC, picture.channels, axis=2)
    down_hH = _shares(pixels_HWC.shape[0], picture.height)
    across_wW = _shares(pixels_HWC.shape[1], picture.width)
    found: np.ndarray = np.einsum("hH,HWC,wW->hwC", down_hH, pixels_HWC, across_wW, optimize=True)
    return found.astype(np.float32)


def _shares(size: int, wanted: int) -> np.ndarray:
    """How much each of `size` pixels counts in each of `wanted`: what it covers of it."""
    edge_n = np.arange(wanted + 1) * size / wanted
    begin_n1, end_n1 = edge_n[:-1, None], edge_n[1:, None]
    place_N = np.arange(size)
    covered_nN = np.minimum(end_n1, place_N + 1) - np.maximum(begin_n1, place_N)
    shares_nN: np.ndarray = np.maximum(covered_nN, 0) * wanted / size
    return shares_nN


def _num_bytes(picture: Picture) -> int:
    return 4 * picture.height * picture.width * picture.channels


def _all(
    named: Iterable[NamedFile], picture: Picture
) -> tuple[dict[str, np.ndarray], tuple[Beside, ...]]:
    """The pixels_hwC of each file by its name, and what is to be known of it.

    Raises:
        DataError: all that are missing or no pictures.
    """
    refused: list[Mistake] = []
    files: list[Beside] = []
    found_hwC: dict[str, np.ndarray] = {}
    for file in dict.fromkeys(named):
        found = read(file, picture)
        if isinstance(found, Mistake):
            refused.append(found)
        else:
            found_hwC[file.name] = found[0]
            files += found[1]
    if refused:
        raise DataError(refused)
    return found_hwC, tuple(files)


def read(file: NamedFile, picture: Picture) -> tuple[np.ndarray, tuple[Beside, ...]] | Mistake:
    """pixels_hwC of one file, and what is to be known of it; or what is wrong with it."""
    content = file.read(MAX_DECODED // 64)
    if isinstance(content, Mistake):
        return content
    try:
        pixels_HWC = png.decode(content)
    except ValueError as broken:
        return Mistake(
            code="data/picture",
            rule="a picture must be a whole PNG file, not interlaced",
            where=file.where,
            got=str(broken),
            fix="Save it as PNG again, or leave its row out.",
        )
    return fitted(pixels_HWC, picture), file.beside(content)


def _names(named: Sequence[NamedFile]) -> list[str]:
    """Names by which pictures can be told: those of files, and the places of enclosed ones."""
    return [
        f"picture {row + 1}" if file.is_enclosed else file.name for row, file in enumerate(named)
    ]


def apart(named: Sequence[str]) -> list[str]:
    """Names that differ: of equal ones the second and later are counted."""
    times: dict[str, int] = {}
    found = []
    for name in named:
        times[name] = times.get(name, 0) + 1
        found.append(name if times[name] == 1 else f"{name} ({times[name]})")
    return found


def too_much(where: str) -> Mistake:
    """Pictures that would fill memory, each counted as often as it is kept."""
    fix = "Take a smaller `data/picture/height` and `width`, or fewer pictures."
    return manifests.too_much(where, "pictures", "pictures", fix)
