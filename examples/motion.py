"""Moves scikit-learn's handwritten digits over a ground without edges: 1,000 clips of PNG frames.

What is asked is the direction. A digit starts anywhere and what leaves on one side comes back on
the other, so that no single frame tells it.
"""

import csv
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from tuner.data.png import encode

chance = np.random.default_rng(0)
WAYS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
SIZE = 16
images = load_digits().images

folder = Path(__file__).parent / "data"
folder.mkdir(exist_ok=True)
target = folder / "motion.csv"
with target.open("w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(["frames", "direction"])
    for number in range(1_000):
        way = str(chance.choice(list(WAYS)))
        ground = np.zeros((SIZE, SIZE))
        ground[:8, :8] = images[chance.integers(len(images))]
        place, pace = chance.integers(SIZE, size=2), chance.integers(1, 4)
        clip = folder / "motion" / f"{number:03d}"
        clip.mkdir(parents=True, exist_ok=True)
        for step in range(chance.integers(4, 9)):
            moved = np.roll(ground, place + step * pace * np.array(WAYS[way]), axis=(0, 1))
            pixels = np.clip(moved * 15 + chance.normal(0, 10, moved.shape), 0, 255)
            (clip / f"{step + 1}.png").write_bytes(encode(pixels.astype(np.uint8)[..., None]))
        writer.writerow([f"motion/{clip.name}", way])
print(f"{target}: 1,000 clips")
