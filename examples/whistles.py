"""Writes 240 made recordings in which each letter is whistled at a pitch of its own, as WAV."""

import csv
import wave
from pathlib import Path

import numpy as np

RATE = 4_000
PITCHES = dict(zip("adeilnorst", 300 * 1.18 ** np.arange(10), strict=True))
WORDS = ["art", "dance", "iron", "lead", "note", "rain", "salt", "seed", "tin", "toad", "stone"]
WORDS = [word for word in WORDS if set(word) <= set(PITCHES)]

chance = np.random.default_rng(0)


def whistle(pitch: float) -> np.ndarray:
    """A tone that rises and falls, of some 80 milliseconds."""
    time = np.arange(int(chance.integers(240, 400))) / RATE
    loud = np.sin(np.pi * time / time[-1]) * chance.uniform(0.3, 0.8)
    return np.asarray(loud * np.sin(2 * np.pi * pitch * chance.normal(1, 0.01) * time))


def silence(least: int, most: int) -> np.ndarray:
    return np.zeros(int(chance.integers(least, most)))


folder = Path(__file__).parent / "data" / "whistles"
folder.mkdir(parents=True, exist_ok=True)
rows = []
for number in range(240):
    text = " ".join(chance.choice(WORDS, int(chance.integers(1, 4))))
    pieces = [silence(200, 600)]
    for letter in text:
        pieces.append(silence(400, 800) if letter == " " else whistle(PITCHES[letter]))
        pieces.append(silence(40, 160))
    samples = np.concatenate([*pieces, silence(200, 600)])
    samples += chance.normal(0, 0.03, len(samples))
    with wave.open(str(folder / f"{number:03d}.wav"), "wb") as file:
        file.setparams((1, 2, RATE, len(samples), "NONE", ""))
        file.writeframes((np.clip(samples, -1, 1) * 32_767).astype("<i2").tobytes())
    rows.append((f"whistles/{number:03d}.wav", text))

target = folder.parent / "whistles.csv"
with target.open("w", newline="") as file:
    csv.writer(file).writerows([("path", "text"), *rows])
print(f"{target}: {len(rows)} recordings")
