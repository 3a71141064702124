"""Which networks can leave as streams, and what their graphs take and give."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tuner.errors import Mistake
from tuner.export.contents import Signature
from tuner.export.decoder import Encoding
from tuner.export.sided import Sided
from tuner.models.network import Network
from tuner.models.streaming import Stream, looks_ahead
from tuner.models.two_parts import TwoParts


def refusals(module: nn.Module, data: Any, *, window: bool, where: str) -> list[Mistake]:
    """Why a network cannot read its sequences piece by piece.

    Args:
        data: section `data/` of its trial, as its inputs must not look ahead either.
        window: whether it answers a window that is prepared as a whole, as a forecast's is.
        where: which trial it is.
    """
    found = looks_ahead(module)
    if window:
        found = [("the task must answer sequences, not windows", "one that forecasts")]
    if getattr(data, "centred", False) and data.smooth > 1:
        found.append(("`data/centred` must be false", "a mean over later steps, too"))
    if getattr(data, "encoding", "ids") == "bag_of_words":
        found.append(("`data/encoding` must not be bag_of_words", "the whole text as one step"))
    return [
        Mistake(
            code="export/streaming",
            rule=f"with --streaming nothing may look ahead: {rule}",
            where=where,
            got=got,
            fix="Export it without --streaming, or a `--trial` that only looks back.",
        )
        for rule, got in found
    ]


def streaming(network: Network, signature: Signature) -> Signature:
    """The signature of a network that reads piece by piece."""
    begin = Stream(network, example(signature)).begin
    return signature.model_copy(
        update={
            "states": tuple((1, len(state)) for state in begin),
            "start": tuple(map(tuple, begin)),
            "ragged": True,
        }
    )


def graphed(module: nn.Module, signature: Signature) -> nn.Module:
    """The module that a signature's graph is traced from: the network, with its second input if it
    has one, its stream, or the part of it that reads for a decoder."""
    if signature.decoder is not None:
        assert isinstance(module, TwoParts)
        return Encoding(module).eval()
    if signature.side:
        return Sided(module).eval()
    if not signature.ragged:
        return module
    assert isinstance(module, Network)
    return Stream(module, example(signature)).eval()


def example(signature: Signature) -> torch.Tensor:
    """One step of one sequence."""
    kind = torch.int64 if signature.vocabulary else torch.float32
    return torch.zeros(1, 1, signature.inputs, dtype=kind)
