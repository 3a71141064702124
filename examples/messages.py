"""Writes 600 made messages with their people, places and goods as CoNLL: one word per line."""

from pathlib import Path

import numpy as np

chance = np.random.default_rng(0)
SYLLABLES = ["an", "ber", "do", "el", "fin", "gar", "hil", "mo", "ra", "sten", "tor", "vi"]
GOODS = ["apples", "pears", "red bricks", "green tea", "iron nails", "oak boards"]
PATTERNS = [
    "please send 3 boxes of GOODS to PERSON in PLACE",
    "PERSON of PLACE wants more GOODS by monday",
    "the GOODS from PLACE never arrived , writes PERSON",
    "tell PERSON that we leave PLACE without the GOODS",
    "is PERSON still waiting in PLACE ?",
    "PERSON wants no GOODS today , nor does PLACE",
]


def name() -> str:
    """One that no other message need hold: it is told by its neighbours."""
    return "".join(chance.choice(SYLLABLES, 2)).title()


def message() -> list[str]:
    lines = []
    for word in str(chance.choice(PATTERNS)).split():
        match word:
            case "PERSON":
                words = [name() for _ in range(int(chance.integers(1, 3)))]
            case "PLACE":
                words = [*(["Bad"] if chance.random() < 0.3 else []), name()]
            case "GOODS":
                words = str(chance.choice(GOODS)).split()
            case _:
                lines.append(f"{word}\tO")
                continue
        marks = ["B", *["I"] * (len(words) - 1)]
        lines += [f"{w}\t{mark}-{word.lower()}" for w, mark in zip(words, marks, strict=True)]
    return lines


target = Path(__file__).parent / "data" / "messages.conll"
target.parent.mkdir(exist_ok=True)
messages = ["\n".join(message()) for _ in range(600)]
target.write_text("\n\n".join(messages) + "\n", encoding="utf-8")
print(f"{target}: {len(messages)} messages")
