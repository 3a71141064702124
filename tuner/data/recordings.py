"""Rows that name WAV files to the rows of their frames: a manifest becomes what a model reads.

R rows of a manifest   N frames of all recordings, one after the other   M mel bands
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd
from pathlib import Path

import numpy as np
import pyarrow as pa

from tuner.data import manifests, mel, wav
from tuner.data.audio import Audio
from tuner.data.files import MAX_DECODED
from tuner.data.layout import Layout
from tuner.data.named_file import NamedFile
from tuner.data.table import Beside, RawTable
from tuner.errors import DataError, Mistake

_READABLE = "PCM of 8, 16, 24 or 32 bits, or floats"


def framed(table: RawTable, path: Path | None, layout: Layout) -> RawTable:
    """The table with a row for each frame of each recording, and one column for each mel band.

    What else a row says is said again at each of its frames; columns without a meaning are left
    out, since a manifest's numbers tell of recordings, not of frames.

    Args:
        table: whose rows name WAV files, relative to the folder of `path`, or hold them.
        path: the file it was read from; None where rows may name nothing.
        layout: of the files, with `audio`.

    Raises:
        DataError: all files that are missing, damaged, empty or of another rate, and rows that name
            none.
    """
    audio = layout.audio
    assert audio is not None
    names = table.columns.column_names
    if layout.id is not None and layout.id in names:
        manifests.refuse_shared(table, "audio", layout.id)
    named = manifests.named(table, path, "audio", audio.path, "WAV file")
    refused: list[Mistake] = []
    frames: list[np.ndarray] = []
    beside: list[Beside] = []
    decoded = 0
    for file in named:
        read = _read(file, audio)
        if isinstance(read, Mistake):
            refused.append(read)
            continue
        frames_TM, known = read
        decoded += frames_TM.nbytes
        if decoded > MAX_DECODED:
            fix = "Take fewer `data/audio/bands`, a longer `hop`, or fewer recordings."
            raise DataError(manifests.too_much(table.name, "audio", "frames", fix))
        frames.append(frames_TM)
        if file.has_place and file.path != path:
            beside += known
    if refused:
        raise DataError(refused)
    frames_NM = np.concatenate(frames)
    owner_N = np.repeat(np.arange(len(frames)), [len(each) for each in frames])
    first_R = np.searchsorted(owner_N, np.arange(len(frames)))

    def place(row: int) -> str:
        owner = int(owner_N[row])
        return f"{table.place(owner)} frame {row - first_R[owner] + 1}"

    found = {
        name: manifests.repeated(table, name, owner_N) for name in manifests.kept(layout, names)
    }
    found |= {
        band: pa.array(np.ascontiguousarray(frames_NM[:, m])) for m, band in enumerate(audio.names)
    }
    return replace(
        table,
        columns=pa.table(found),
        place=place,
        beside=tuple(dict.fromkeys(beside)),
    )


def _read(file: NamedFile, audio: Audio) -> tuple[np.ndarray, tuple[Beside, ...]] | Mistake:
    """frames_TM of one file, and what is to be known of it; or what is wrong with it."""
    content = file.read(MAX_DECODED // 4)
    if isinstance(content, Mistake):
        return content
    try:
        found = wav.decode(content)
    except ValueError as broken:
        fix = f"Save it as WAV: {_READABLE}."
        return _mistake(file, "audio", str(broken), fix)
    samples_N = found.samples_N
    if not np.isfinite(samples_N).all():
        return _mistake(file, "infinite", "samples that are not finite", "Record it again.")
    if found.rate != audio.rate:
        if not audio.resample:
            return Mistake(
                code="data/audio-rate",
                rule=f"a recording must have {audio.rate:,} samples per second, as `data/audio` "
                "says",
                where=file.where,
                got=f"{found.rate:,}",
                fix=f"Set `audio: {{rate: {found.rate}}}`, or `resample: true`.",
            )
        samples_N = resampled(samples_N, found.rate, audio.rate)
    if not mel.num_frames(len(samples_N), audio):
        return Mistake(
            code="data/audio-short",
            rule=f"a recording must last a window of {audio.window:g} ms or longer",
            where=file.where,
            got=f"{len(samples_N) / audio.rate * 1_000:g} ms",
            fix="Leave it out, or shorten `data/audio/window`.",
        )
    return mel.log_mel(samples_N, audio), file.beside(content)


def resampled(samples_N: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """The recording at another rate, through a filter that lets no higher pitch fold back."""
    from scipy.signal import resample_poly

    common = gcd(rate, wanted)
    found: np.ndarray = resample_poly(samples_N, wanted // common, rate // common)
    return found.astype(np.float32)


def _mistake(file: NamedFile, code: str, got: str, fix: str) -> Mistake:
    rule = "a recording must be a whole WAV file of finite samples"
    return Mistake(code=f"data/{code}", rule=rule, where=file.where, got=got, fix=fix)
