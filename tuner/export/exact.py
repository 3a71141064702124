"""How far float32 itself is from a network's outputs: what no export of it can be asked to undo.

Two runtimes add in different orders. Over some hundred steps of logits of size 10, two float32 runs
of one network were seen to lie 2e-5 apart, each 1e-5 from the same in double precision.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

TOLERANCE = 1e-5
"""Of |export - network| / max(1, |network|), where float32 rounds by less."""
_ROUNDINGS = 4
"""How often the network's own rounding an export may be apart from it: each of both may be apart
from the exact outputs by as much, and the worst places are seldom the same."""


def tolerance(rounding: float) -> float:
    """What an export may differ by from a network that is so far from itself in double precision.

    A rounding that is no number allows nothing more.
    """
    return _ROUNDINGS * rounding if rounding > TOLERANCE / _ROUNDINGS else TOLERANCE


def exactly(network: nn.Module, *given: Any, **named: Any) -> Any:
    """What a network gives in double precision; in its own, where its code makes numbers of a
    kind of its own, which then do not go together."""
    try:
        return Exact(network)(*given, **named)
    except RuntimeError:
        return network(*given, **named)


class Exact(nn.Module):
    """A copy of a network that computes in double precision, whatever it is given."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).double().eval()

    def forward(self, *given: Any, **named: Any) -> Any:
        """What the network gives."""
        return self.network(*map(_double, given), **{n: _double(x) for n, x in named.items()})


def _double(given: Any) -> Any:
    if isinstance(given, Tensor):
        return given.double() if given.dtype == torch.float32 else given
    if isinstance(given, list | tuple):
        return [_double(each) for each in given]
    return given
