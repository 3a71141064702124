"""Writes made data as CSV: the hourly demand for power of three towns over 100 days."""

import csv
from pathlib import Path

import numpy as np

HOURS, TOWNS = 24 * 100, (20, 50, 90)
rng = np.random.default_rng(0)
hours = np.arange(HOURS)
times = np.datetime64("2024-01-01T00:00") + hours.astype("timedelta64[h]")
weekend = (hours // 24) % 7 >= 5
day = 2 * np.pi * hours / 24

target = Path(__file__).parent / "data" / "demand.csv"
target.parent.mkdir(exist_ok=True)
with target.open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["town", "time", "load", "temperature", "weather", "size"])
    for number, size in enumerate(TOWNS):
        # Weather comes in days; its forecast is taken to be right.
        front = np.repeat(rng.normal(0, 4, HOURS // 24), 24)
        temperature = 8 + front - 3 * np.cos(day) + rng.normal(0, 0.3, HOURS)
        weather = np.where(front > 2, "clear", np.where(front < -2, "snow", "cloud"))
        load = size * (1.2 - 0.3 * np.cos(day - 1) - 0.25 * weekend + 0.04 * (12 - temperature))
        load = load + 0.05 * size * rng.normal(size=HOURS)
        for t in range(HOURS):
            # Meters fail now and then.
            shown = "" if rng.random() < 0.01 else f"{load[t]:.3f}"
            row = [f"town {number}", times[t], shown, f"{temperature[t]:.2f}", weather[t], size]
            writer.writerow(row)
print(f"{target}: {len(TOWNS)} towns of {HOURS} hours")
