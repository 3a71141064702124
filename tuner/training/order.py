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
    lengths_R = lengths_R[shuffled]
    noisy_R = lengths_R + (1 + _NOISE * lengths_R) * chance.uniform(-1, 1, num)
    bucket_R = np.arange(num) // (bucket * batch_size)
    by_length = shuffled[np.lexsort((noisy_R, bucket_R))]
    # The last batch is the one that may be smaller: it stays where it is.
    full = (num - 1) // batch_size
    batches = by_length[: full * batch_size].reshape(full, batch_size)
    return np.concatenate([chance.permutation(batches).ravel(), by_length[full * batch_size :]])
