"""Random numbers that follow from keys: the same for a row in whatever batch, on any rank."""

from __future__ import annotations

import zlib

import torch
from torch import Tensor

_STEP, _MIX_1, _MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
"""Of SplitMix64 (Steele et al. 2014)."""


class Chance:
    """Draws for the rows of a batch; every call draws anew.

    Args:
        keys_B: int64, one for each row.
        name: who draws; others draw other numbers from the same keys.
    """

    def __init__(self, keys_B: Tensor, name: str) -> None:
        self._keys_B = _scattered(keys_B ^ zlib.crc32(name.encode()))
        self._draws = 0

    def uniform(self, *shape: int) -> Tensor:
        """float32 (B, *shape) within (0, 1).

        What a place gets follows from its key and its place alone, if all but the first of the
        sizes in `shape` are always the same.
        """
        self._draws += 1
        keys_B = _scattered(self._keys_B + _signed(self._draws * _STEP))
        places = torch.arange(1, 1 + torch.Size(shape).numel(), device=keys_B.device)
        mixed = _scattered(keys_B[:, None] + places * _signed(_STEP))
        # 23 bits and a half: float32 holds every one of them, and none is 0 or 1.
        return ((_shifted(mixed, 41).float() + 0.5) * 2.0**-23).view(len(keys_B), *shape)

    def normal(self, *shape: int) -> Tensor:
        """float32 (B, *shape), of mean 0 and deviation 1 (Box and Muller)."""
        radius = torch.sqrt(-2 * torch.log(self.uniform(*shape)))
        return radius * torch.cos(2 * torch.pi * self.uniform(*shape))


def keys(seed: int, numbers_B: Tensor) -> Tensor:
    """int64: a key for each number under a seed."""
    return _scattered(_scattered(numbers_B + 1) + _signed(seed))


def _scattered(x: Tensor) -> Tensor:
    """SplitMix64's output function; int64 wraps around as its unsigned twin does."""
    x = (x ^ _shifted(x, 30)) * _signed(_MIX_1)
    x = (x ^ _shifted(x, 27)) * _signed(_MIX_2)
    return x ^ _shifted(x, 31)


def _shifted(x: Tensor, bits: int) -> Tensor:
    """To the right, with zeros for the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def _signed(number: int) -> int:
    """The int64 with the lowest 64 bits of a number."""
    number &= (1 << 64) - 1
    return number - (1 << 64) if number >> 63 else number
