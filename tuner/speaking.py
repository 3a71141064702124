"""Frames that a model gave of texts, as WAV files; needs neither torch nor the sweep."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tuner.data import griffin_lim, wav
from tuner.errors import Mistake
from tuner.predictor import Answers, Predictor

INDEX = "answers.csv"
"""Beside the WAV files: which is of which text, and how long it is."""

_FIX = "Name another model, or a --output that ends in .csv, .jsonl or .parquet."


def refusals(predictor: Predictor, where: str) -> list[Mistake]:
    """Why a model's answers cannot be heard.

    Args:
        where: the folder that was asked for.
    """
    layout, rule = predictor.layout, "a folder of WAV files must be asked of a model that"
    if not predictor.task.most_frames or layout.audio is None:
        got = "another"
        rule = f"{rule} gives frames of recordings (`task: synthesis` with `data/audio`)"
    elif layout.audio.normalization != "none":
        rule = f"{rule} was trained with `data/audio/normalization: none`"
        got = f"one trained with {layout.audio.normalization!r}, which does not know how loud is"
    else:
        return []
    return [Mistake(code="predict/not-heard", rule=rule, where=where, got=got, fix=_FIX)]


def write(folder: Path, predictor: Predictor, answers: Answers) -> None:
    """Makes a recording of each answer, `0001.wav` and so on in the order of the texts.

    Args:
        folder: that is there, and empty.
        predictor: whose answers can be heard, see `refusals`.
    """
    audio = predictor.layout.audio
    assert audio is not None
    rows = []
    for number, (name, frames_TM) in enumerate(_texts(answers), 1):
        samples_N = griffin_lim.samples(frames_TM, audio)
        file = f"{number:04d}.wav"
        (folder / file).write_bytes(wav.encode(samples_N, audio.rate))
        rows.append((name, file, len(samples_N) / audio.rate))
    with (folder / INDEX).open("w", encoding="utf-8", newline="") as index:
        csv.writer(index, lineterminator="\n").writerows([("id", "path", "seconds"), *rows])


def _texts(answers: Answers) -> Iterator[tuple[str, np.ndarray]]:
    """The id of each text, and its frames_TM."""
    ids, frames, *bands = answers.columns.values()
    frames_NM = np.array(bands, dtype=np.float64).T
    starts = np.flatnonzero(np.array(frames) == 1)
    for start, frames_TM in zip(starts, np.split(frames_NM, starts[1:]), strict=True):
        yield ids[start], frames_TM
