"""Training losses over many items: of all of them, or of one beside a few that are drawn.

N targets   K items drawn for each   V ids of items
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from tuner.data.ids import FIRST
from tuner.part import Config as PartConfig

if TYPE_CHECKING:
    from torch import Tensor

    from tuner.data.augmentations._chance import Chance

_LEAST = -1e9
"""Score of what does not compete; minus infinity would have no gradient."""


class RankingLossConfig(PartConfig):
    """Section `loss/` of a trial that ranks items; training only."""

    name: Literal["softmax", "sampled_softmax", "bce", "bpr", "top1_max"] = "softmax"
    """Cross-entropy over all items, or over the target and those that were drawn, corrected by how
    likely each was (Bengio and Senécal, 2008); binary cross-entropy of both, as in SASRec (Kang and
    McAuley, 2018); the target above each drawn one (BPR, Rendle et al., 2009); or above the
    strongest of them, as in GRU4Rec (TOP1-max, Hidasi and Karatzoglou, 2018)."""
    negatives: int = Field(default=100, ge=1, le=10_000)
    """Items that are drawn for each history, new ones each epoch, and that its steps share. Of no
    effect with softmax, as is the next."""
    popularity: float = Field(default=0.75, ge=0, le=1)
    """Power of an item's count by which it is drawn: 0 draws all alike, 1 as training rows do."""


class Drawing:
    """Draws items by their counts in the training rows.

    Args:
        counts: of each known item.
    """

    def __init__(self, counts: np.ndarray, config: RankingLossConfig) -> None:
        self._config = config
        share_W = np.maximum(counts, 1).astype(np.float64) ** config.popularity
        share_W /= share_W.sum()
        self._sum_W = np.cumsum(share_W)
        # What is no item is never drawn, and never the target of what is drawn for.
        self.log_V = np.concatenate([np.zeros(FIRST), np.log(share_W)]).astype(np.float32)
        """Of the share with which each id is drawn."""

    def draw(self, chance: Chance) -> Tensor:
        """Ids of items for each row, int64 (B, K); they follow from the rows' keys alone."""
        import torch

        share_BK = chance.uniform(self._config.negatives).double()
        sum_W = torch.from_numpy(self._sum_W).to(share_BK.device)
        place_BK = torch.searchsorted(sum_W, share_BK).clamp(max=len(sum_W) - 1)
        drawn_BK: Tensor = place_BK + FIRST
        return drawn_BK


def sampled_losses(
    name: str, own_N: Tensor, drawn_NK: Tensor, same_NK: Tensor, log_N: Tensor, log_NK: Tensor
) -> Tensor:
    """The loss of each target beside the items that were drawn for it.

    Args:
        name: of the loss.
        own_N: scores of the targets.
        drawn_NK: of the drawn items.
        same_NK: whether a drawn item is the target itself, which does not compete with itself.
        log_N: logarithm of the share with which each target would have been drawn.
        log_NK: the same of the drawn items.
    """
    import torch
    from torch.nn.functional import softmax, softplus

    if name == "sampled_softmax":
        own_N = own_N - log_N
        drawn_NK = (drawn_NK - log_NK).masked_fill(same_NK, _LEAST)
        all_NK = torch.cat([own_N[:, None], drawn_NK], dim=1)
        return all_NK.logsumexp(dim=1) - own_N
    others_NK = (~same_NK).to(own_N.dtype)
    weights_NK = others_NK / others_NK.sum(dim=1, keepdim=True).clamp(min=1)
    if name == "bce":
        return softplus(-own_N) + (weights_NK * softplus(drawn_NK)).sum(dim=1)
    above_NK = drawn_NK - own_N[:, None]
    if name == "bpr":
        return (weights_NK * softplus(above_NK)).sum(dim=1)
    assert name == "top1_max"
    weights_NK = softmax(drawn_NK.masked_fill(same_NK, _LEAST), dim=1) * others_NK
    return (weights_NK * (above_NK.sigmoid() + drawn_NK.square().sigmoid())).sum(dim=1)
