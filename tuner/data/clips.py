"""Rows that name clips, or single frames of clips, to a row for each frame.

N frames of all clips, one after the other   F numbers of a frame
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from tuner.data import manifests, pictures
from tuner.data.files import MAX_DECODED, join_some, refusal, shown
from tuner.data.frames import Frames
from tuner.data.layout import Layout
from tuner.data.named_file import NamedFile
from tuner.data.table import Beside, RawTable
from tuner.errors import DataError, Mistake


def stepped(table: RawTable, path: Path | None, layout: Layout) -> RawTable:
    """The table with a row for each frame, and a column for each number in it.

    What else a row says is said again at each frame of its clip.

    Args:
        table: whose rows each name a folder of PNG files, or a PNG file, relative to the folder of
            `path`, or hold a PNG file: without a column of ids, rows that do are one clip.
        path: the file it was read from; None where rows may name nothing.
        layout: of the files, with `frames`.

    Raises:
        DataError: all clips without frames, all frames that are missing or no pictures, and rows
            that name none.
    """
    frames = layout.frames
    assert frames is not None
    names = table.columns.column_names
    named = manifests.named(table, path, "frames", frames.path, "frame or folder of frames")
    places = [file.path for file in named if file.has_place]
    are_folders = any(place.is_dir() for place in places)
    kept = manifests.kept(layout, names)
    refused: list[Mistake] = []
    if are_folders:
        refused += [*_shared(table, frames, layout), *_ordered_twice(layout)]
    else:
        kept += [name for name in layout.time if name in names and name not in kept]
        # Names that lead nowhere are told as such; a request may be one clip.
        single = any(place.is_file() for place in places) or len(places) < len(named)
        if layout.id == frames.path and path is not None and single:
            refused.append(_no_clip(table, frames))
    files = [
        frames_of(file, refused) if are_folders and file.has_place else [file] for file in named
    ]
    owner_N = np.repeat(np.arange(len(files)), [len(each) for each in files])
    if 4 * len(owner_N) * len(frames.names) > MAX_DECODED:
        fix = "Take a smaller `data/frames/height` and `width`, or fewer frames."
        refused.append(manifests.too_much(table.name, "frames", "frames", fix))
        raise DataError(refused)
    values_NF, beside = _pixels([file for each in files for file in each], frames, refused)
    if refused:
        raise DataError(refused)
    found = {name: manifests.repeated(table, name, owner_N) for name in kept}
    if layout.id == frames.path:
        # A clip with several texts is several sequences.
        found[frames.path] = pa.array(_clips(named)).take(pa.array(owner_N))
    found |= {
        name: pa.array(np.ascontiguousarray(values_NF[:, f])) for f, name in enumerate(frames.names)
    }
    first_R = np.searchsorted(owner_N, np.arange(len(files)))

    def place(row: int) -> str:
        owner = int(owner_N[row])
        frame = f" frame {row - first_R[owner] + 1}" if are_folders else ""
        return f"{table.place(owner)}{frame}"

    return replace(table, columns=pa.table(found), place=place, beside=(*table.beside, *beside))


def _pixels(
    files: Sequence[NamedFile], frames: Frames, refused: list[Mistake]
) -> tuple[np.ndarray, list[Beside]]:
    """values_NF of all frames, and each file once."""
    values_NF = np.empty((len(files), frames.height * frames.width * frames.channels), np.float32)
    beside: dict[Beside, None] = {}
    for row, file in enumerate(files):
        read = pictures.read(file, frames)
        if isinstance(read, Mistake):
            refused.append(read)
            continue
        values_NF[row] = read[0].reshape(-1)
        beside |= dict.fromkeys(read[1])
    return values_NF, list(beside)


def _clips(named: Sequence[NamedFile]) -> list[str]:
    """Ids where rows have none: the folders' names; frames that are enclosed are one clip."""
    if all(file.is_enclosed for file in named):
        return ["clip"] * len(named)
    return pictures.apart([file.name for file in named])


def frames_of(clip: NamedFile, refused: list[Mistake]) -> list[NamedFile]:
    """The frames of a clip, as they are spelled from the manifest; none, and why, without any."""
    folder = clip.path
    try:
        found = [each.name for each in folder.iterdir() if not each.name.startswith(".")]
    except OSError:
        refused.append(refusal(folder) or _no_folder(folder))
        return []
    others = [each for each in found if not each.lower().endswith(".png")]
    if others or not found:
        refused.append(_no_frames(folder, others))
        return []
    return [replace(clip, name=f"{clip.name}/{each}") for each in sorted(found, key=natural)]


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts `frame 9` before `frame 10`: runs of digits count as numbers."""
    parts = re.split(r"(\d+)", name)
    return [(int(part or 0), "") if i % 2 else (0, part) for i, part in enumerate(parts)] + [
        (0, name)
    ]


def _shared(table: RawTable, frames: Frames, layout: Layout) -> list[Mistake]:
    """Of clips that have one id, other than by their names."""
    name = layout.id
    if name is None or name == frames.path or name not in table.columns.column_names:
        return []
    try:
        manifests.refuse_shared(table, "frames", name)
    except DataError as wrong:
        return list(wrong.mistakes)
    return []


def _ordered_twice(layout: Layout) -> list[Mistake]:
    if not layout.time:
        return []
    return [
        Mistake(
            code="data/frames",
            rule="`data/time` must be left out where rows name folders: names order their frames",
            where="data/time",
            got=join_some(map(repr, layout.time)),
            fix="Leave it out, or name one frame in each row.",
        )
    ]


def _no_clip(table: RawTable, frames: Frames) -> Mistake:
    return Mistake(
        code="data/frames-clip",
        rule="`data/id` must name the column that tells clips apart where rows name single frames",
        where="data/id",
        got=f"nothing, and files in column {frames.path!r} of {table.name}",
        fix="Name it, or name a folder of frames in each row.",
    )


def _no_folder(place: Path) -> Mistake:
    return Mistake(
        code="data/frames",
        rule="rows must all name folders of frames, or all single frames",
        where=shown(place),
        got="a file, where other rows name folders",
        fix="Put its frames into a folder, or name one frame in each row.",
    )


def _no_frames(folder: Path, others: Sequence[str]) -> Mistake:
    return Mistake(
        code="data/frames",
        rule="a folder of frames must hold PNG files, and nothing else",
        where=shown(folder),
        got=f"{len(others):,} others, {join_some(sorted(others))}" if others else "no file",
        fix="Write each frame as a PNG file, or leave the row out.",
    )
