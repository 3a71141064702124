"""How large a picture's encoder is and what it leaves, without torch."""

from __future__ import annotations


def reduced(size: int, layers: int) -> int:
    """Rows or columns that so many halvings leave."""
    for _ in range(layers):
        size = -(-size // 2)
    return size


def num_parameters(channels: int, layers: int, filters: int) -> int:
    """What `Pictures` allocates."""
    reads = [channels, *[filters] * (layers - 1)]
    return sum((9 * read + 1) * filters for read in reads)
