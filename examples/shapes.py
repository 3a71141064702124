"""Draws 1,500 made pictures of two shapes each, and says what they show."""

import csv
from pathlib import Path

import numpy as np

from tuner.data.png import encode

chance = np.random.default_rng(0)
COLOURS = {"red": (220, 40, 40), "green": (40, 180, 60), "blue": (50, 80, 220)}
PLACES = {"above": ((8, 16), (24, 16)), "left of": ((16, 8), (16, 24))}
SIZE = 32
row_HW, column_HW = np.mgrid[:SIZE, :SIZE]


def covered(shape: str, row: int, column: int) -> np.ndarray:
    """Where a shape lies."""
    across, down = np.abs(column_HW - column), np.abs(row_HW - row)
    if shape == "square":
        return np.maximum(across, down) <= 5
    if shape == "circle":
        return across**2 + down**2 <= 36
    return (row_HW - row + 5 >= 2 * across) & (down <= 5)


folder = Path(__file__).parent / "data" / "shapes"
folder.mkdir(parents=True, exist_ok=True)
target = folder.parent / "shapes.csv"
with target.open("w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(["picture", "caption"])
    for number in range(1_500):
        pixels = chance.integers(225, 256, (SIZE, SIZE, 3)).astype(np.uint8)
        place = str(chance.choice(list(PLACES)))
        said = []
        for row, column in PLACES[place]:
            colour, shape = (
                str(chance.choice(list(COLOURS))),
                str(chance.choice(["square", "circle", "triangle"])),
            )
            moved = chance.integers(-2, 3, 2)
            pixels[covered(shape, row + moved[0], column + moved[1])] = COLOURS[colour]
            said.append(f"a {colour} {shape}")
        name = f"shapes/{number:03d}.png"
        (folder.parent / name).write_bytes(encode(pixels))
        writer.writerow([name, f" {place} ".join(said)])
print(f"{target}: 1,500 pictures")
