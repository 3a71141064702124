"""Penalties on what the encoder says: AR and TAR (Merity, McCann and Socher, 2017)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tuner.training.regularization import RegularizationConfig


class Activations:
    """Watches the top layer's outputs in training, before the dropout of the head.

    Each sequence counts by its own mean over its valid steps and all units, so that its part does
    not depend on what it is batched with, and padding has none.
    """

    def __init__(self, config: RegularizationConfig, encoder: nn.Module) -> None:
        self._config = config
        self._seen: tuple[Tensor, Tensor] | None = None
        encoder.register_forward_hook(self._see)

    def _see(self, encoder: nn.Module, given: tuple[Any, ...], gave: tuple[Any, ...]) -> None:
        if encoder.training:
            (_, steps, *_), (h_D, _) = given, gave
            self._seen = torch.cat(h_D, dim=-1), steps.valid_BT

    def penalty(self) -> Tensor:
        """The sum of the last batch's sequences' penalties."""
        assert self._seen is not None, "a penalty before a forward pass"
        h_BTK, valid_BT = self._seen
        self._seen = None
        h_BTK = h_BTK.float()
        ar = self._config.activation
        tar = self._config.temporal_activation
        total = h_BTK.new_zeros(())
        if ar:
            total = total + ar * _of_sequences(h_BTK, valid_BT)
        if tar:
            total = total + tar * _of_sequences(h_BTK[:, 1:] - h_BTK[:, :-1], valid_BT[:, 1:])
        return total


def _of_sequences(d_BTK: Tensor, valid_BT: Tensor) -> Tensor:
    """Each sequence's mean square over its valid steps, added; 0 for one without such steps."""
    square_BT = d_BTK.square().mean(dim=-1) * valid_BT
    return (square_BT.sum(dim=1) / valid_BT.sum(dim=1).clamp(min=1)).sum()
