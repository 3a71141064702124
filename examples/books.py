"""Writes what 1,500 made readers borrowed: volumes of series in their order, and bestsellers."""

import csv
from pathlib import Path

import numpy as np

chance = np.random.default_rng(0)
SERIES = [f"{kind} {name}" for kind in ("saga", "case", "voyage") for name in "ABCDEFGHIJ"]
VOLUMES, BESTSELLERS = 6, 20

target = Path(__file__).parent / "data" / "books.csv"
target.parent.mkdir(exist_ok=True)
rows = 0
with target.open("w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(["reader", "book", "day"])
    for number in range(1500):
        # Two or three series at a time, each read on from a volume; readers keep to their kind.
        kind = int(chance.integers(3)) * 10
        reading = {
            int(s) + kind: int(chance.integers(1, 3))
            for s in chance.choice(10, int(chance.integers(2, 4)), replace=False)
        }
        borrowed: set[str] = set()
        day = 0
        for _ in range(int(chance.integers(5, 13))):
            unread = [s for s, volume in reading.items() if volume <= VOLUMES]
            if unread and chance.random() < 0.8:
                series = int(chance.choice(unread))
                book = f"{SERIES[series]}, volume {reading[series]}"
                reading[series] += 1
            else:
                place = min(int(chance.geometric(0.2)), BESTSELLERS)
                book = f"bestseller {place}"
            if book in borrowed:
                continue
            borrowed.add(book)
            day += int(chance.integers(1, 30))
            writer.writerow([f"reader {number + 1}", book, day])
            rows += 1
print(f"{target}: {rows:,} loans")
