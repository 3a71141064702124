"""Writes 900 made questions as CSV: does each ask for a person, a place, a time or a number?"""

import csv
from pathlib import Path

import numpy as np

chance = np.random.default_rng(0)
SUBJECTS = ["the old bridge", "our first ship", "this song", "the northern railway", "her letter"]
PATTERNS = {
    "person": ["Who {did} {it}?", "Which engineer {did} {it}?", "By whom was {it} {did}?"],
    "place": ["Where was {it} {did}?", "In which town was {it} {did}?"],
    "time": ["When was {it} {did}?", "In which year was {it} {did}?"],
    "number": ["How many people {did} {it}?", "How often was {it} {did}?"],
}
DONE = ["built", "paid for", "lost", "found", "praised"]

target = Path(__file__).parent / "data" / "questions.csv"
target.parent.mkdir(exist_ok=True)
with target.open("w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(["question", "asks_for"])
    for number in range(900):
        kind = list(PATTERNS)[number % len(PATTERNS)]
        pattern = str(chance.choice(PATTERNS[kind]))
        words = {"it": chance.choice(SUBJECTS), "did": chance.choice(DONE)}
        text = pattern.format(**words)
        # A town or a year of its own keeps any two questions apart.
        writer.writerow([f"{text[:-1]}, asks no {number + 1}?", kind])
print(f"{target}: 900 questions")
