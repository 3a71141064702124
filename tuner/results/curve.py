"""Learning curves: one CSV per trial, written as it trains, and its picture."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

CURVE, PICTURE = "curve.csv", "curve.svg"

_WIDTH, _HEIGHT, _MARGIN = 640, 320, 48
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")


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


def draw(
    folder: Path, columns: Mapping[str, Sequence[float]], names: Sequence[str], title: str
) -> Path:
    """Draws some columns over the epochs, each scaled to its own range, which the legend names.

    Returns:
        The picture, an SVG beside the curve.
    """
    epochs = columns["epoch"]
    span = max(epochs[-1] - epochs[0], 1)
    inner_width, inner_height = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_MARGIN}" y="20" font-size="14">{escape(title)}</text>',
        f'<rect x="{_MARGIN}" y="{_MARGIN}" width="{inner_width}" height="{inner_height}" '
        'fill="none" stroke="#999"/>',
        f'<text x="{_MARGIN}" y="{_HEIGHT - 28}">epoch {epochs[0]:g}</text>',
        f'<text x="{_WIDTH - _MARGIN}" y="{_HEIGHT - 28}" text-anchor="end">{epochs[-1]:g}</text>',
    ]
    for index, (name, colour) in enumerate(zip(names, _COLOURS, strict=False)):
        points = [(e, v) for e, v in zip(epochs, columns[name], strict=True) if math.isfinite(v)]
        if not points:
            continue
        low, high = min(v for _, v in points), max(v for _, v in points)
        height = (high - low) or 1.0
        line = " ".join(
            f"{_MARGIN + (e - epochs[0]) / span * inner_width:.1f},"
            f"{_MARGIN + (high - v) / height * inner_height:.1f}"
            for e, v in points
        )
        x = _MARGIN + index * inner_width // max(len(names), 1)
        parts.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{x}" y="{_HEIGHT - 8}" fill="{colour}">'
            f"{escape(name)} {low:.4g} … {high:.4g}</text>"
        )
        if len(points) == 1:
            x0, y0 = line.split(",")
            parts.append(f'<circle cx="{x0}" cy="{y0}" r="3" fill="{colour}"/>')
    path = folder / PICTURE
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")
    return path
