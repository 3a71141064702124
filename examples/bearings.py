"""Writes 900 made bearings: how loud each runs, under which load, a thermal picture; is it worn?"""

import csv
from pathlib import Path

import numpy as np

from tuner.data.png import encode

chance = np.random.default_rng(0)
SIZE = 12
row_HW, column_HW = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2

folder = Path(__file__).parent / "data" / "bearings"
folder.mkdir(parents=True, exist_ok=True)
target = folder.parent / "bearings.csv"
with target.open("w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(["bearing", "second", "decibels", "load", "picture", "state"])
    for number in range(900):
        hot = bool(chance.integers(2))
        wear, load = chance.normal(0, 5), chance.uniform(1, 9)
        # Load and heat make a bearing as loud as wear does.
        loudness = 50 + wear + 2 * load + 6 * hot
        glow_HW = np.exp(-(row_HW**2 + column_HW**2) / 20)[:, :, None]
        pixels = glow_HW * np.array((230, 60, 20) if hot else (30, 60, 200))
        pixels = pixels + chance.integers(0, 25, (SIZE, SIZE, 3))
        name = f"bearings/{number:03d}.png"
        (folder.parent / name).write_bytes(encode(pixels.astype(np.uint8)))
        state = "worn" if wear > 0 else "sound"
        for second in range(int(chance.integers(8, 20))):
            decibels = round(loudness + chance.normal(0, 3), 2)
            writer.writerow([number, second, decibels, round(load, 2), name, state])
print(f"{target}: 900 bearings")
