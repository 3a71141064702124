"""Section `regularization/` of a trial: dropout, and what training adds to its loss."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from pydantic import Field

from tuner.models.shape import Dropouts
from tuner.part import Config

if TYPE_CHECKING:
    from torch import Tensor, nn


class RegularizationConfig(Config):
    """What keeps a model from learning its training rows by heart."""

    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of units dropped between layers and before the head."""
    input_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of input features dropped, each step anew."""
    embedding_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of tokens dropped, wherever they stand in a batch (Gal and Ghahramani, 2016)."""
    layer_dropout: float | None = Field(default=None, ge=0, lt=1)
    """Share of units dropped between layers; null is `dropout`."""
    output_dropout: float | None = Field(default=None, ge=0, lt=1)
    """Share of units dropped before the head; null is `dropout`."""
    recurrent_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of hidden-to-hidden weights dropped, for a whole batch (Merity et al., 2018)."""
    locked: bool = False
    """One mask for all steps of a sequence, of inputs, between layers and before a head that reads
    every step (Gal and Ghahramani, 2016)."""
    scheduled_sampling: float = Field(default=0.0, ge=0, le=1)
    """Share of tokens that a decoder reads from itself rather than from the target: it grows evenly
    over all steps of the trial, from none to this (Bengio et al., 2015)."""
    l1: float = Field(default=0.0, ge=0)
    """Times the sum of absolute weights, added to the training loss."""
    l2: float = Field(default=0.0, ge=0)
    """Times half the sum of squared weights, added to the training loss. Unlike
    `optimizer/weight_decay` it passes through the optimizer's scaling."""
    activation: float = Field(default=0.0, ge=0)
    """Times the mean square of the encoder's outputs, dropout not yet applied (AR)."""
    temporal_activation: float = Field(default=0.0, ge=0)
    """Times the mean square of their change from step to step (TAR)."""

    @property
    def penalises_activations(self) -> bool:
        """Whether training looks at what the encoder says."""
        return bool(self.activation or self.temporal_activation)

    @property
    def dropouts(self) -> Dropouts:
        """What the network is told of this section."""
        return Dropouts(**{field.name: getattr(self, field.name) for field in fields(Dropouts)})


def regularized(module: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Parameters that decay and penalties reach, and those they spare.

    Biases, norms and embeddings are spared: shrinking them does not make a model simpler.
    """
    from torch import nn

    spared_modules = (nn.Embedding, nn.LayerNorm)
    weights: list[nn.Parameter] = []
    spared: list[nn.Parameter] = []
    for part in module.modules():
        for parameter in part.parameters(recurse=False):
            if not parameter.requires_grad:
                continue
            is_weight = parameter.ndim >= 2 and not isinstance(part, spared_modules)
            (weights if is_weight else spared).append(parameter)
    return weights, spared


def penalty(config: RegularizationConfig, weights: list[nn.Parameter]) -> Tensor | None:
    """The L1 and L2 terms of the training loss, or None where both are off."""
    import torch

    if not (config.l1 or config.l2):
        return None
    terms = []
    if config.l1:
        terms.append(config.l1 * torch.stack([w.abs().sum() for w in weights]).sum())
    if config.l2:
        terms.append(config.l2 / 2 * torch.stack([w.square().sum() for w in weights]).sum())
    return torch.stack(terms).sum()
