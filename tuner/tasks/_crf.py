"""Linear-chain conditional random field over padded sequences (Lafferty et al., 2001).

B sequences   T steps   O tags
`transitions` is (O + 2, O): from tag to tag, then from the start, then to the end. Its parameters
lie in the network, whose forward pass hands them out, so that DDP reduces their gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def loss(y_BTO: Tensor, transitions: Tensor, tags_BT: Tensor, valid_BT: Tensor) -> Tensor:
    """Negative log-likelihood of the tags, one number for each sequence; 0 without a valid step.

    Args:
        valid_BT: bool; the valid steps of a sequence come first.
    """
    import torch

    between_OO, start_O, end_O = transitions[:-2], transitions[-2], transitions[-1]
    steps = y_BTO.shape[1]
    score_B = start_O[tags_BT[:, 0]] + y_BTO[:, 0].gather(1, tags_BT[:, :1]).squeeze(1)
    alpha_BO = start_O + y_BTO[:, 0]
    for t in range(1, steps):
        valid_B = valid_BT[:, t]
        tag_B = tags_BT[:, t]
        step_B = between_OO[tags_BT[:, t - 1], tag_B] + y_BTO[:, t].gather(1, tag_B[:, None])[:, 0]
        score_B = score_B + torch.where(valid_B, step_B, torch.zeros_like(step_B))
        reached_BO = (alpha_BO.unsqueeze(2) + between_OO).logsumexp(dim=1) + y_BTO[:, t]
        alpha_BO = torch.where(valid_B[:, None], reached_BO, alpha_BO)
    last_B = (valid_BT.sum(dim=1) - 1).clamp(min=0)
    score_B = score_B + end_O[tags_BT.gather(1, last_B[:, None]).squeeze(1)]
    total_B = (alpha_BO + end_O).logsumexp(dim=1)
    return (total_B - score_B) * valid_BT[:, 0]


def decode(y_BTO: np.ndarray, transitions: np.ndarray, lengths_B: np.ndarray) -> np.ndarray:
    """The most likely tags_BT by Viterbi's algorithm; 0 at padded steps."""
    between_OO, start_O, end_O = transitions[:-2], transitions[-2], transitions[-1]
    rows, steps, tags = y_BTO.shape
    best_BO = start_O + y_BTO[:, 0]
    # A padded step keeps what was best, and points at itself.
    back_BTO = np.tile(np.arange(tags), (rows, steps, 1))
    for t in range(1, steps):
        paths_BOO = best_BO[:, :, None] + between_OO
        valid_B1 = (t < lengths_B)[:, None]
        back_BTO[:, t] = np.where(valid_B1, paths_BOO.argmax(axis=1), back_BTO[:, t])
        best_BO = np.where(valid_B1, paths_BOO.max(axis=1) + y_BTO[:, t], best_BO)
    tag_B = (best_BO + end_O).argmax(axis=1)
    tags_BT = np.zeros((rows, steps), dtype=np.int64)
    for t in range(steps - 1, -1, -1):
        tags_BT[:, t] = np.where(t < lengths_B, tag_B, 0)
        tag_B = np.take_along_axis(back_BTO[:, t], tag_B[:, None], axis=1)[:, 0]
    return tags_BT
