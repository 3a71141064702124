"""Raw files to tables, with the files that their rows name: the first room of data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from tuner.data import clips, manifests, pictures, recordings
from tuner.data.extensions import format_of
from tuner.data.files import MAX_DECODED
from tuner.data.layout import Layout
from tuner.data.table import RawTable
from tuner.errors import DataError, Mistake


def read_all(
    paths: Sequence[Path], layout: Layout, mistakes: list[Mistake]
) -> list[RawTable | None]:
    """A table for each file; None, with the mistakes told, for one that cannot be read."""
    tables: list[RawTable | None] = []
    refused: list[Mistake] = []
    for path in paths:
        try:
            table = format_of(path, layout.format).read(path, layout)
            tables.append(with_named_files(table, path, layout))
        except DataError as wrong:
            refused += wrong.mistakes
            tables.append(None)
    # Of files that rows name, many may have the same fault.
    named = layout.audio or layout.pixels or layout.side_picture
    mistakes += refused if named is None else manifests.together(refused)
    return tables


def with_named_files(table: RawTable, path: Path | None, layout: Layout) -> RawTable:
    """The table with what the files hold that its rows name: pictures, clips or recordings.

    Args:
        table: of a manifest, or of rows that need none.
        path: the file it was read from, beside which the named ones lie; None where rows may name
            nothing, and hold the files themselves.
        layout: of the files.

    Raises:
        DataError: named files that are absent, or hold something else.
    """
    if layout.picture is not None:
        table = pictures.pixels(table, path, layout)
    elif layout.frames is not None:
        table = clips.stepped(table, path, layout)
    elif layout.audio is not None:
        table = recordings.framed(table, path, layout)
    beside = layout.side_picture
    # A column that is absent is told with all others that are.
    if beside is not None and beside.path in table.columns.column_names and not table.pictures:
        table = pictures.beside(table, path, beside)
    return table


def with_enclosed_files(table: RawTable, path: Path, layout: Layout) -> RawTable:
    """The table with files in place of their names, and a row for each frame of a clip: it can be
    read wherever it lies.

    Args:
        table: of a manifest, or of rows that need none.
        path: the file it was read from, beside which the named ones lie.
        layout: of the files.

    Raises:
        DataError: named files that are absent.
    """
    for column, key in layout.naming.items():
        found = table.columns
        files = manifests.named(table, path, key, column, "file")
        refused: list[Mistake] = []
        inside = [
            clips.frames_of(file, refused) if file.has_place and file.path.is_dir() else [file]
            for file in files
        ]
        held = [file.enclosed(MAX_DECODED) for each in inside for file in each]
        if refused := refused + [uri for uri in held if isinstance(uri, Mistake)]:
            raise DataError(refused)
        owner_N = [row for row, each in enumerate(inside) for _ in each]
        found = found.take(pa.array(owner_N, pa.int64()))
        place = found.column_names.index(column)
        table = replace(table, columns=found.set_column(place, column, pa.array(held)))
    return table
