"""Word vectors made elsewhere: a text file of words and numbers, as GloVe and fastText write it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from tuner.data.files import refuse_unreadable, shown
from tuner.errors import DataError, Mistake

_HEADER_CELLS = 2


def read(path: Path, words: Collection[str]) -> tuple[list[str], np.ndarray]:
    """The vectors of some words, float32 (found, units), and which words were found.

    Read line by line: such a file may hold millions of words. A first line of two numbers, as in
    fastText's files, tells their count and their units. A word that comes twice counts once.

    Raises:
        DataError: not a readable file, or a line of another number of numbers.
    """
    refuse_unreadable(path)
    wanted, found, rows = set(words), [], []
    units = 0
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            cells = line.rstrip().split(" ")
            if number == 1 and len(cells) == _HEADER_CELLS:
                continue
            units = units or len(cells) - 1
            # A word may hold spaces: the numbers are counted from the end.
            word = " ".join(cells[: len(cells) - units])
            if word not in wanted:
                continue
            try:
                rows.append(np.array(cells[-units:], dtype=np.float32))
            except ValueError:
                raise _refused(path, number, f"{line[:60].rstrip()!r}") from None
            wanted.discard(word)
            found.append(word)
    if not units:
        raise _refused(path, 1, "no numbers")
    if not rows:
        raise _refused(path, 1, "none of the words of the training rows")
    return found, np.stack(rows)


def _refused(path: Path, line: int, got: str) -> DataError:
    return DataError(
        Mistake(
            code="data/vectors",
            rule="a line of word vectors must be a word and its numbers, apart by single spaces",
            where=f"{shown(path)} line {line}",
            got=got,
            fix="Write it as GloVe or fastText (.vec) do, or leave `data/vectors` out.",
        )
    )
