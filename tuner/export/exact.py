"""How far float32 itself is from a network's outputs: what no export of it can be asked to undo.

Two runtimes add in different orders. Over some hundred steps of logits of size 10, two float32 runs
of one network were seen to lie 2e-5 apart, each 1e-5 from the same in double precision.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

TOLERANCE = 1e-5
"""Of |export - network| / max(1, |network|), where float32 rounds by less."""
_ROUNDINGS = 4
"""How often the network's own rounding an export may be apart from it: each of both may be apart
from the exact outputs by as much, and the worst places are seldom the same."""
_MOST = 1e-3
"""Most that is ever allowed: where a network rounds by this, no wrong export would be told."""


def tolerance(rounding: float) -> float:
    """What an export may differ by from a network that is so far from itself in double precision.

    A rounding that is no number, or infinite, allows nothing more.
    """
    if not TOLERANCE / _ROUNDINGS < rounding < float("inf"):
        return TOLERANCE
    return min(_ROUNDINGS * rounding, _MOST)


def exact(network: nn.Module) -> Callable[..., Any]:
    """A network in double precision, whatever it is given; or itself, where its code makes numbers
    of a kind of its own, which then do not go together."""
    twin = copy.deepcopy(network).double().eval()

    def run(*given: Any, **named: Any) -> Any:
        try:
            return twin(*map(_double, given), **{n: _double(x) for n, x in named.items()})
        except RuntimeError:
            return network(*given, **named)

    return run


def _double(given: Any) -> Any:
    if isinstance(given, Tensor):
        return given.double() if given.dtype == torch.float32 else given
    if isinstance(given, list | tuple):
        return [_double(each) for each in given]
    return given
