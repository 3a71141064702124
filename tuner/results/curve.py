"""Learning curves: one CSV per trial, written as it trains, and its pictures."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tuner.plots.exhibits import Line, Lines, stacked
from tuner.plots.style import alone

CURVE, PICTURE, GRADIENTS = "curve.csv", "curve.svg", "gradients.svg"

_NORMS = ("total", "largest")
_TRAINING = {
    "train_loss": "train/loss",
    "lr": "train/lr",
    "rows_per_second": "train/rows_per_second",
}


def shown(name: str) -> str:
    """A metric's name on a curve and where it is tracked: below what it was measured on."""
    if name.startswith("grad_norm/"):
        return f"train/{name}"
    return _TRAINING.get(name, f"validation/{name}")


def append(folder: Path, epoch: int, values: Mapping[str, float]) -> None:
    """Adds one epoch to a trial's curve."""
    path = folder / CURVE
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if not file.tell():
            writer.writerow(["epoch", *values])
        writer.writerow([epoch, *values.values()])


def read(folder: Path) -> dict[str, list[float]]:
    """A trial's curve as columns, `epoch` first; an epoch that stands twice counts once.

    A last line that a crash tore is left out. Empty if the trial reported nothing.
    """
    path = folder / CURVE
    if not path.exists():
        return {}
    rows: dict[int, list[float]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        names = next(reader, [])
        for row in reader:
            try:
                numbers = [float(cell) for cell in row]
            except ValueError:
                continue
            if len(numbers) == len(names):
                rows[int(numbers[0])] = numbers
    ordered = [rows[epoch] for epoch in sorted(rows)]
    return {name: [row[i] for row in ordered] for i, name in enumerate(names)}


def draw(folder: Path, columns: Mapping[str, Sequence[float]], metric: str, title: str) -> Path:
    """Draws a trial's scores and losses over its epochs, as SVG beside the curve."""
    score = f"validation/{metric}"
    losses = [name for name in ("train/loss", "validation/loss") if name != score]
    pictures = [_lines(columns, [score], metric), _lines(columns, losses, "loss")]
    (folder / PICTURE).write_text(alone(stacked(title, pictures)), encoding="utf-8")
    return folder / PICTURE


def draw_norms(folder: Path, columns: Mapping[str, Sequence[float]], title: str) -> Path | None:
    """Draws the norms of a trial's gradient; nothing where they were not told."""
    picture = _lines(columns, norms(columns), "norm of the gradient")
    if picture is None:
        return None
    (folder / GRADIENTS).write_text(alone(stacked(title, [picture])), encoding="utf-8")
    return folder / GRADIENTS


def norms(columns: Iterable[str]) -> list[str]:
    """Columns that tell of the whole gradient, not of one layer's."""
    return [name for name in columns if name.rpartition("/")[2] in _NORMS and "grad_norm" in name]


def _lines(
    columns: Mapping[str, Sequence[float]], names: Sequence[str], label: str
) -> Lines | None:
    epochs = tuple(columns["epoch"])
    lines = tuple(
        Line(name=name, x=epochs, y=tuple(v if math.isfinite(v) else None for v in columns[name]))
        for name in names
        if name in columns
    )
    if not lines:
        return None
    return Lines(about=f"{label} over epochs", x_label="epoch", y_label=label, lines=lines)
