"""Training losses over classes: for whole sequences and for steps alike.

Scores never come from here: a validation `loss` is the plain cross-entropy, the same for every
trial, whatever it was trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from tuner.part import Config as PartConfig

if TYPE_CHECKING:
    from torch import Tensor

    from tuner.tasks._base import Batch

ClassWeights = Literal["none", "balanced", "sqrt"]

_SMALLEST = 1e-6
"""Of 1 - p, whose power has no gradient at 0."""


class ClassLossConfig(PartConfig):
    """Section `loss/` of a trial that learns classes; training only."""

    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of each target that is spread over all classes (Szegedy et al. 2016), with a CRF over
    all sequences of tags; 0 is off."""
    focal: float = Field(default=0.0, ge=0, le=10)
    """Gamma of the focal loss (Lin et al. 2017), which passes over what is learned already: each
    term counts (1 - p) ** gamma, with a CRF each sequence of tags; 0 is off."""


def class_losses(
    logits: Tensor,
    targets: Tensor,
    config: ClassLossConfig,
    weights_C: Tensor | None = None,
) -> Tensor:
    """The training loss of each target.

    Args:
        logits: (..., C).
        targets: int64 (...), classes; what does not count must still be a class.
        weights_C: of the classes.

    Returns:
        float (...); smoothed and focal at once, a smoothed target's classes are each focal.
    """
    from torch.nn.functional import cross_entropy

    smoothing, flat_N = config.label_smoothing, targets.reshape(-1)
    flat_NC = logits.reshape(-1, logits.shape[-1])
    if config.focal:
        losses_N = _focal(flat_NC, flat_N, config.focal, smoothing)
    else:
        losses_N = cross_entropy(flat_NC, flat_N, reduction="none", label_smoothing=smoothing)
    losses = losses_N.view(targets.shape)
    return losses if weights_C is None else losses * weights_C[targets]


def _focal(logits_NC: Tensor, targets_N: Tensor, gamma: float, smoothing: float) -> Tensor:
    from torch.nn.functional import log_softmax, nll_loss

    logs_NC = log_softmax(logits_NC, dim=-1)
    terms_NC = fading(logs_NC, gamma) * logs_NC
    losses_N = nll_loss(terms_NC, targets_N, reduction="none")
    return (1 - smoothing) * losses_N - smoothing * terms_NC.mean(dim=-1)


def fading(logs: Tensor, gamma: float) -> Tensor:
    """(1 - p) ** gamma, by which the focal loss weighs a term of log p."""
    import torch

    # By expm1: p itself rounds to 1 long before 1 - p is 0.
    return (-torch.expm1(logs)).clamp_min(_SMALLEST) ** gamma


def mixed(loss: Callable[[Tensor], Tensor], batch: Batch) -> Tensor:
    """The loss of mixed rows: of either target by its share (Zhang et al. 2018).

    Args:
        loss: of each row, given targets.
    """
    losses = loss(batch.targets)
    if batch.others is None:
        return losses
    share = batch.share.view(-1, *[1] * (losses.ndim - 1))
    both: Tensor = share * losses + (1 - share) * loss(batch.others)
    return both


def class_weights(how: ClassWeights, counts: Sequence[int]) -> np.ndarray | None:
    """float32: a weight for each class, 1 in the mean over the training rows; None if all are 1.

    Args:
        counts: of the classes in the training rows; a class without any weighs nothing.
    """
    if how == "none":
        return None
    counts_C = np.asarray(counts, dtype=np.float64)
    shares_C = np.where(counts_C > 0, 1 / np.maximum(counts_C, 1), 0)
    if how == "sqrt":
        shares_C = np.sqrt(shares_C)
    weights_C: np.ndarray = shares_C * (counts_C.sum() / (shares_C @ counts_C))
    return weights_C.astype(np.float32)
