"""Writes 1,500 made lines in which numbers, nouns and verbs agree, for a model of characters."""

from pathlib import Path

import numpy as np

chance = np.random.default_rng(0)
NOUNS = ["king", "fox", "miller", "raven", "sailor"]
VERBS = ["see", "follow", "greet", "forget"]
NUMBERS = {"one": False, "a": False, "the": False, "two": True, "seven": True, "many": True}


def noun(word: str, many: bool) -> str:
    return word if not many else word + ("es" if word.endswith("x") else "s")


def line() -> str:
    number, other = chance.choice(list(NUMBERS), 2)
    subject, thing = (str(word) for word in chance.choice(NOUNS, 2))
    verb = str(chance.choice(VERBS))
    acting = NUMBERS[str(number)]
    return (
        f"{number} {noun(subject, acting)} {verb if acting else verb + 's'} "
        f"{other} {noun(thing, NUMBERS[str(other)])} and {'go' if acting else 'goes'} home."
    )


target = Path(__file__).parent / "data" / "tales.txt"
target.parent.mkdir(exist_ok=True)
lines = [line() for _ in range(1500)]
target.write_text("\n".join(lines) + "\n", encoding="utf-8")
print(f"{target}: {len(lines)} lines")
