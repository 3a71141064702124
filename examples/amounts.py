"""Writes 3,000 made amounts in words, and the same in digits, as parallel text."""

from pathlib import Path

import numpy as np

ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def in_words(number: int) -> str:
    """An amount below 100,000."""
    if number >= 1000:
        rest = f" {in_words(number % 1000)}" if number % 1000 else ""
        return f"{in_words(number // 1000)} thousand{rest}"
    if number >= 100:
        rest = f" and {in_words(number % 100)}" if number % 100 else ""
        return f"{ONES[number // 100]} hundred{rest}"
    if number >= 20:
        rest = f" {ONES[number % 10]}" if number % 10 else ""
        return TENS[number // 10 - 2] + rest
    return ONES[number]


chance = np.random.default_rng(0)
amounts = chance.choice(100_000, 3_000, replace=False).tolist()
folder = Path(__file__).parent / "data"
folder.mkdir(exist_ok=True)
words, digits = folder / "amounts.words", folder / "amounts.digits"
words.write_text("".join(f"{in_words(amount)}\n" for amount in amounts), encoding="utf-8")
digits.write_text("".join(f"{amount}\n" for amount in amounts), encoding="utf-8")
print(f"{words}, {digits}: 3,000 amounts")
