"""In which order an epoch visits its rows, and which of them share a batch.

Padding of a batch is computed like any step, and a batch of random rows is as long as its longest.
Rows of like length therefore share a batch, as in torchtext's `BucketIterator`: buckets of some
batches are sorted by length, and the batches shuffled. Lengths count with noise of up to one step
and 10 %, so that the same rows do not meet in every epoch.
"""

from __future__ import annotations

import numpy as np

_NOISE = 0.1


def order(
    chance: np.random.Generator,
    lengths_R: np.ndarray | None,
    num: int,
    batch_size: int,
    bucket: int,
) -> np.ndarray:
    """The places 0 … num - 1 in the order of an epoch, to be cut into batches.

    Args:
        lengths_R: steps of each row; None where all rows are as long.
        bucket: batches that are sorted together; 0 sorts none.
    """
    shuffled = chance.permutation(num)
    if lengths_R is None or bucket == 0 or num <= batch_size:
        return shuffled
    by_length = _sorted(chance, shuffled, lengths_R, bucket * batch_size)
    # The last batch is the one that may be smaller: it stays where it is.
    full = (num - 1) // batch_size
    batches = by_length[: full * batch_size].reshape(full, batch_size)
    return np.concatenate([chance.permutation(batches).ravel(), by_length[full * batch_size :]])


def within(
    chance: np.random.Generator, lengths_R: np.ndarray, budget: int, bucket: int
) -> list[np.ndarray]:
    """The batches of an epoch, each of at most `budget` steps with its padding, or of one row.

    Args:
        budget: rows of a batch times steps of its longest.
        bucket: batches of middling length that are sorted together; 0 sorts none.
    """
    places = chance.permutation(len(lengths_R))
    if bucket:
        rows = max(1, int(budget / lengths_R.mean()))
        places = _sorted(chance, places, lengths_R, bucket * rows)
    starts, rows, longest = [0], 0, 0
    for place, length in enumerate(lengths_R[places].tolist()):
        longest = max(longest, length)
        if rows and (rows + 1) * longest > budget:
            starts.append(place)
            rows, longest = 0, length
        rows += 1
    batches = np.split(places, starts[1:])
    return [batches[i] for i in chance.permutation(len(batches))]


def _sorted(
    chance: np.random.Generator, places: np.ndarray, lengths_R: np.ndarray, bucket: int
) -> np.ndarray:
    """Places sorted by length, about, within each bucket of so many."""
    lengths_R = lengths_R[places]
    noisy_R = lengths_R + (1 + _NOISE * lengths_R) * chance.uniform(-1, 1, len(places))
    bucket_R = np.arange(len(places)) // bucket
    by_length: np.ndarray = places[np.lexsort((noisy_R, bucket_R))]
    return by_length
