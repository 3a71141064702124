"""Made data and sweeps that several tests share: small, learnable, with lengths that differ."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuner import registry
from tuner.data import png, wav
from tuner.data.config import DataConfig
from tuner.data.prepare import prepare
from tuner.training.job import Job

if TYPE_CHECKING:
    from tuner.training.fit import Fit

CLASSIFICATION = {"name": "classification"}
REGRESSION = {"name": "regression"}


def sequences_csv(
    path: Path, *, num: int = 61, seed: int = 0, longest: int = 9, rare: bool = False
) -> Path:
    """Noisy sequences of 1 to `longest` steps and 2 features; the class is where they drift.

    Classes are of one size, or of three very different ones.
    """
    rng = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "step", "x", "y", "label"])
        for i in range(num):
            kind = (0 if i % 8 else 1 + i // 8 % 3 % 2) if rare else i % 3
            for step in range(int(rng.integers(1, longest + 1))):
                x = rng.normal((0, 1, -1)[kind], 0.7)
                writer.writerow([f"s{i:03d}", step, x, rng.normal(0, 1), ("a", "b", "c")[kind]])
    return path


def numbers_csv(path: Path, *, num: int = 61, seed: int = 0, longest: int = 9) -> Path:
    """Noisy sequences of 1 to `longest` steps; the targets are their levels, in other units."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "step", "x", "y", "price", "weight"])
        for i in range(num):
            level, slope = rng.normal(0, 1, 2)
            for step in range(int(rng.integers(1, longest + 1))):
                x, y = level + rng.normal(0, 0.1), slope + rng.normal(0, 0.1)
                writer.writerow([f"s{i:03d}", step, x, y, 300 + 50 * level, 2 - 0.1 * slope])
    return path


def series_csv(path: Path, *, num_series: int = 2, length: int = 120, missing: float = 0.0) -> Path:
    """Noisy daily waves in hourly steps, two channels each, with holes on demand."""
    rng = np.random.default_rng(1)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "time", "load", "heat"])
        for s in range(num_series):
            for t in range(length):
                wave = 10 * (s + 1) + np.sin(2 * np.pi * t / 24 + s) + rng.normal(0, 0.1)
                heat = "" if rng.random() < missing else f"{5 * np.cos(2 * np.pi * t / 24):.4f}"
                stamp = np.datetime64("2024-01-01T00:00") + np.timedelta64(t, "h")
                writer.writerow([f"series {s}", stamp, f"{wave:.4f}", heat])
    return path


def tagged_conll(path: Path, *, num: int = 40, seed: int = 0) -> Path:
    """Sentences of made words in which names of people and places follow a word that tells them."""
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(num):
        for _ in range(int(rng.integers(2, 6))):
            kind = rng.choice(["mr", "in", "the"])
            lines.append(f"{kind}\tO")
            if kind == "the":
                lines.append(f"{rng.choice(['cat', 'sun', 'road'])}\tO")
                continue
            tag = "person" if kind == "mr" else "place"
            for place in range(int(rng.integers(1, 4))):
                name = "".join(rng.choice(list("abcdefg"), 3)).title()
                lines.append(f"{name}\t{'I' if place else 'B'}-{tag}")
        lines.append("")
    path.write_text("\n".join(lines))
    return path


def stream_txt(path: Path, *, num: int = 120, seed: int = 0) -> Path:
    """Lines in which vowels and consonants take turns: half of each letter can be known."""
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(num):
        length = int(rng.integers(0, 12))
        pairs = (rng.choice(list("bdgk")) + rng.choice(list("aiu")) for _ in range(length))
        lines.append("".join(pairs))
    path.write_text("\n".join(lines) + "\n")
    return path


def questions_csv(path: Path, *, num: int = 60, seed: int = 0) -> Path:
    """Short texts whose class is told by one of their words."""
    rng = np.random.default_rng(seed)
    words = {"where": "place", "who": "person", "when": "time"}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "kind"])
        for i in range(num):
            told = list(words)[i % 3]
            drawn = rng.choice(["is", "the", "old", "town", "king"], int(rng.integers(1, 6)))
            others = [*drawn, f"word{i}"]
            place = int(rng.integers(len(others) + 1))
            text = " ".join([*others[:place], told, *others[place:]])
            writer.writerow([f"{text.capitalize()}?", words[told]])
    return path


DIGITS = "zero one two three four five six seven eight nine".split()


def named_digits_csv(path: Path, *, num: int = 60, seed: int = 0) -> Path:
    """Numbers of one to four digits, and their digits in words."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["digits", "name"])
        for number in rng.choice(10_000, num, replace=False).tolist():
            writer.writerow([f"no {number}", " ".join(DIGITS[int(d)] for d in str(number))])
    return path


def pictures_csv(path: Path, *, num: int = 60, seed: int = 0) -> Path:
    """A manifest of squares on a dark ground, and what they are; the PNG files lie beside it."""
    rng = np.random.default_rng(seed)
    (path.parent / "png").mkdir(exist_ok=True)
    colours = {"red": (255, 40, 40), "green": (40, 255, 40), "blue": (40, 40, 255)}
    rows = []
    for i in range(num):
        pixels_HWC = rng.integers(0, 30, (12, 16, 3)).astype(np.uint8)
        said = []
        for place, column in (("left", 1), ("right", 9)):
            if place == "right" and i % 3 == 0:
                continue
            colour = str(rng.choice(list(colours)))
            pixels_HWC[3:9, column : column + 6] = colours[colour]
            said.append(f"{colour} {place}")
        file = path.parent / "png" / f"{i:03d}.png"
        file.write_bytes(png.encode(pixels_HWC))
        rows.append({"picture": str(file), "caption": " and ".join(said)})
    return write_rows(path, rows)


def clips_csv(path: Path, *, num: int = 40, seed: int = 0, longest: int = 9) -> Path:
    """A manifest of clips of 2 to `longest` frames, in which a square goes left or right from
    anywhere; the folders of their PNG files lie beside it."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(num):
        folder = path.parent / "clips" / f"{i:03d}"
        folder.mkdir(parents=True, exist_ok=True)
        row, column = int(rng.integers(6)), int(rng.integers(10))
        for step in range(int(rng.integers(2, longest + 1))):
            pixels_HWC = rng.integers(0, 30, (9, 12, 3)).astype(np.uint8)
            place = (column + (2 if i % 2 else -2) * step + np.arange(3)) % 12
            pixels_HWC[row : row + 3, place] = (255, 200, 40)
            # Not in the order of the alphabet.
            (folder / f"{step + 8}.png").write_bytes(png.encode(pixels_HWC))
        rows.append({"frames": str(folder), "label": "right" if i % 2 else "left"})
    return write_rows(path, rows)


def fused_csv(path: Path, *, num: int = 61, seed: int = 0, longest: int = 9) -> Path:
    """Noisy sequences of 1 to `longest` steps that drift up or down, beside each a number and a
    picture, dark or bright; the class is of all three together. The PNG files lie beside the
    manifest.
    """
    rng = np.random.default_rng(seed)
    (path.parent / "png").mkdir(exist_ok=True)
    for bright in range(2):
        pixels_HWC = rng.integers(0, 60, (6, 8, 3)).astype(np.uint8) + np.uint8(190 * bright)
        (path.parent / "png" / f"{bright}.png").write_bytes(png.encode(pixels_HWC))
    rows = []
    for i in range(num):
        up, old, bright = rng.integers(0, 2, 3)
        kind = "abc"[int(up) if old == bright else 2]
        age = round(float(rng.normal(30 + 40 * old, 5)), 2)
        beside = {"age": age, "photo": str(path.parent / "png" / f"{bright}.png"), "label": kind}
        for step in range(int(rng.integers(1, longest + 1))):
            x, y = rng.normal(2 * up - 1, 0.3), rng.normal(0, 1)
            rows.append({"id": f"s{i:03d}", "step": step, "x": x, "y": y, **beside})
    return write_rows(path, rows)


RATE = 2_000
"""Samples per second of made recordings."""


def tones(letters: str, rng: np.random.Generator) -> np.ndarray:
    """A recording of letters as tones of their own, each of some length, with pauses and noise."""
    pieces = [np.zeros(int(rng.integers(40, 120)))]
    for letter in letters:
        pitch = {"a": 120.0, "b": 300.0, "c": 700.0}.get(letter, 0.0)
        time = np.arange(int(rng.integers(120, 200))) / RATE
        pieces += [0.5 * np.sin(2 * np.pi * pitch * time), np.zeros(int(rng.integers(40, 120)))]
    samples = np.concatenate(pieces)
    noisy: np.ndarray = samples + rng.normal(0, 0.01, len(samples))
    return noisy


def recordings_jsonl(path: Path, *, num: int = 40, seed: int = 0) -> Path:
    """A manifest of tones as letters, a space for a silence; the WAV files lie beside it."""
    rng = np.random.default_rng(seed)
    (path.parent / "wav").mkdir(exist_ok=True)
    lines = []
    for i in range(num):
        letters = rng.choice(list("abc"), int(rng.integers(2, 6)))
        text = "".join(letters)
        if len(text) > 3:
            text = f"{text[:2]} {text[2:]}"
        file = path.parent / "wav" / f"{i:03d}.wav"
        file.write_bytes(wav.encode(tones(text, rng), RATE))
        lines.append(json.dumps({"path": str(file), "text": text}))
    path.write_text("\n".join(lines) + "\n")
    return path


AUDIO = {"rate": RATE, "bands": 8, "window": 40, "hop": 16, "low": 50}
"""How they are read: some 30 frames of 8 bands each."""


def histories_csv(path: Path, *, num: int = 61, seed: int = 0, longest: int = 12) -> Path:
    """Histories of 4 to `longest` items that go around a ring, each by steps of its own size."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "item", "step"])
        for i in range(num):
            place, stride = int(rng.integers(17)), 1 + i % 2
            for step in range(int(rng.integers(4, longest + 1))):
                writer.writerow([f"u{i:03d}", f"item {(place + stride * step) % 17}", step])
    return path


def episodes_csv(path: Path, *, num: int = 40, seed: int = 0, longest: int = 12) -> Path:
    """Episodes of 3 to `longest` steps: left or right, and how hard, by the sum of all x so far."""
    rng = np.random.default_rng(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "step", "x", "y", "label", "push"])
        for i in range(num):
            total = 0.0
            for step in range(int(rng.integers(3, longest + 1))):
                x, y = rng.normal(0, 1, 2)
                total += x
                push = -3 * total + rng.normal(0, 0.1)
                writer.writerow([f"e{i:02d}", step, x, y, "right" if total < 0 else "left", push])
    return path


TASKS: dict[str, dict[str, Any]] = {
    name: {"name": name, **({"horizon": 5} if name == "forecasting" else {})}
    for name in registry.names("tasks")
} | {"video": CLASSIFICATION, "fused": CLASSIFICATION}
"""Every task, with what it cannot do without, one that reads frames, and one with a number and a
picture beside each sequence."""


def of_task(name: str, folder: Path, **sizes: int) -> Path:
    """Prepared data of the kind that a task asks for, some values missing where that may be; the
    raw file, `rows.*`, lies beside them. `sizes` are what its writer takes."""
    module = registry.get("tasks", TASKS[name]["name"])
    about = module.data(module.Config(**TASKS[name]))
    data: dict[str, Any]
    if name == "video":
        clips_csv(folder / "rows.csv", **sizes)
        data = {"train": "rows.csv", "frames": {"height": 6, "width": 8}, "target": "label"}
        data |= {"test": 0.2, "duplicates": "warn"}
    elif name in ("ctc", "synthesis"):
        recordings_jsonl(folder / "rows.jsonl", **sizes)
        data = {"train": "rows.jsonl", "audio": AUDIO, "target": "text", "test": 0.2}
    elif name == "control":
        episodes_csv(folder / "rows.csv", **sizes)
        data = {"train": "rows.csv", "id": "id", "time": "step", "test": 0.2}
        data |= {"target": "label", "features": ["x", "y"]}
    elif name == "fused":
        fused_csv(folder / "rows.csv", **sizes)
        data = {"train": "rows.csv", "id": "id", "time": "step", "target": "label", "test": 0.2}
        data |= {"features": ["x", "y"], "static": ["age"]}
        data |= {"picture": {"path": "photo", "height": 4, "width": 6}}
    elif about.target == "number":
        numbers_csv(folder / "rows.csv", **sizes)
        data = {"train": "rows.csv", "id": "id", "time": "step", "test": 0.2}
        data |= {"target": ["price", "weight"]}
    elif about.target == "tags":
        tagged_conll(folder / "rows.conll", **sizes)
        data = {"train": "rows.conll", "test": 0.2, "duplicates": "warn"}
    elif name == "captioning":
        pictures_csv(folder / "rows.csv", **sizes)
        data = {"train": "rows.csv", "picture": {"height": 8, "width": 12}, "target": "caption"}
        data |= {"test": 0.2, "duplicates": "warn"}
    elif about.target == "tokens":
        named_digits_csv(folder / "rows.csv", **sizes)
        data = {"train": "rows.csv", "text": "digits", "tokens": "character", "target": "name"}
        data |= {"test": 0.2}
    elif about.target == "next":
        histories_csv(folder / "rows.csv", **sizes)
        data = {"train": "rows.csv", "id": "id", "time": "step", "target": "item"}
        data |= {"validation": {"last": 1}, "test": {"last": 1}}
    elif about.target == "none":
        stream_txt(folder / "rows.txt", **{"num": 400} | sizes)
        data = {"train": "rows.txt", "tokens": "character", "validation": 0.2, "test": 0.2}
    elif about.kind == "sequence":
        sequences_csv(folder / "rows.csv", **sizes)
        data = {"train": "rows.csv", "id": "id", "time": "step", "target": "label", "test": 0.2}
    else:
        series_csv(folder / "rows.csv", missing=0.05, **sizes)
        data = {"train": "rows.csv", "id": "name", "time": "time", "missing": "forward"}
        data |= {"test": 0.2}
    return prepared(folder, TASKS[name], data)


def prepared(folder: Path, task: dict[str, Any], data: dict[str, Any], seed: int = 0) -> Path:
    """Prepares data beside its files; gives the folder that a `Store` opens."""
    module = registry.get("tasks", task["name"])
    config = DataConfig.model_validate(data)
    prepare(config, module.data(module.Config(**task)), folder, folder / "data", seed)
    return folder / "data"


def classification(folder: Path, **data: Any) -> Path:
    """Prepared sequences of three classes; `data` adds to the spec's section."""
    sequences_csv(folder / "rows.csv")
    section = {"train": "rows.csv", "id": "id", "time": "step", "target": "label", **data}
    return prepared(folder, CLASSIFICATION, section)


def regression(folder: Path, **data: Any) -> Path:
    """Prepared sequences with two numbers each; `data` adds to the spec's section."""
    numbers_csv(folder / "rows.csv")
    section = {"train": "rows.csv", "id": "id", "time": "step", "target": ["price", "weight"]}
    return prepared(folder, REGRESSION, section | data)


def job(data: Path, folder: Path, values: dict[str, Any] | None = None, **changes: Any) -> Job:
    """A small trial on prepared sequences."""
    small = {"model/hidden_size": 8, "training/epochs": 3, "training/batch_size": 16}
    given: dict[str, Any] = {
        "data": str(data),
        "folder": str(folder),
        "task": CLASSIFICATION,
        "values": small | (values or {}),
        "metric": "accuracy",
        "maximize": True,
    }
    return Job(**given | changes)


def job_of(name: str, data: Path, folder: Path, values: dict[str, Any], **changes: Any) -> Job:
    """A small trial of a task, ranked by its first metric."""
    metric, direction = next(iter(registry.get("tasks", TASKS[name]["name"]).METRICS.items()))
    ranked = {"task": TASKS[name], "metric": metric, "maximize": direction == "maximize"}
    return job(data, folder, values, **ranked | changes)


def rich_series(*, num_series: int = 2, length: int = 150) -> list[dict[str, Any]]:
    """Hourly rows with a text, a column known ahead and a static one; holes in `heat`."""
    rng = np.random.default_rng(2)
    rows = []
    for s in range(num_series):
        for t in range(length):
            wind = ("N", "S", "W")[int(rng.integers(3))]
            sun = np.cos(2 * np.pi * t / 24)
            load = 10 * (s + 1) + sun + (wind == "S") + rng.normal(0, 0.1)
            rows.append(
                {
                    "name": f"series {s}",
                    "time": str(np.datetime64("2024-01-01T00:00") + np.timedelta64(t, "h")),
                    "load": round(float(load), 4),
                    "heat": "" if rng.random() < 0.1 else round(float(5 * sun), 4),
                    "wind": wind,
                    "sun": round(float(sun), 4),
                    "size": s + 1,
                }
            )
    return rows


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def fit(
    data: Path,
    folder: Path,
    values: dict[str, Any],
    *,
    micro_batch: int | None = None,
    **changes: Any,
) -> Fit:
    """The one fit of a small trial, not yet trained."""
    from tuner.training.rank import Rank

    rank = Rank("cpu", 1)
    rank.start(job(data, folder, values, **changes), micro_batch)
    assert rank._trial is not None
    (found,) = rank._trial.fits
    return found
