"""Linear-chain conditional random field over padded sequences (Lafferty et al., 2001).

B sequences   T steps   O tags
`transitions` is (O + 2, O): from tag to tag, then from the start, then to the end. Its parameters
lie in the network, whose forward pass hands them out, so that DDP reduces their gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tuner.tasks._losses import ClassLossConfig, fading

if TYPE_CHECKING:
    from torch import Tensor


def loss(
    y_BTO: Tensor,
    transitions: Tensor,
    tags_BT: Tensor,
    valid_BT: Tensor,
    config: ClassLossConfig,
) -> Tensor:
    """Negative log-likelihood of the tags, one number for each sequence; 0 without a valid step.

    A sequence of tags is one class among all sequences of its length. So `label_smoothing` spreads
    its share evenly over all of them, which is the smoothing of each step where transitions are 0,
    and `focal` passes over sequences that are learned; what is spread is never focal.

    Args:
        valid_BT: bool; the valid steps of a sequence come first.
        config: the plain likelihood by default.
    """
    total_B = _log_partition(y_BTO, transitions, valid_BT)
    found_B = lost_B = total_B - _score(y_BTO, transitions, tags_BT, valid_BT)
    if config.focal:
        found_B = fading(-lost_B, config.focal) * lost_B
    if share := config.label_smoothing:
        spread_B = total_B - _mean_score(y_BTO, transitions, valid_BT)
        found_B = (1 - share) * found_B + share * spread_B
    return found_B * valid_BT[:, 0]


def _log_partition(y_BTO: Tensor, transitions: Tensor, valid_BT: Tensor) -> Tensor:
    """Logarithm of the sum over all tag sequences."""
    import torch

    between_OO, start_O, end_O = transitions[:-2], transitions[-2], transitions[-1]
    alpha_BO = start_O + y_BTO[:, 0]
    for t in range(1, y_BTO.shape[1]):
        reached_BO = (alpha_BO.unsqueeze(2) + between_OO).logsumexp(dim=1) + y_BTO[:, t]
        alpha_BO = torch.where(valid_BT[:, t, None], reached_BO, alpha_BO)
    return (alpha_BO + end_O).logsumexp(dim=1)


def _score(y_BTO: Tensor, transitions: Tensor, tags_BT: Tensor, valid_BT: Tensor) -> Tensor:
    """Of one tag sequence."""
    between_OO, start_O, end_O = transitions[:-2], transitions[-2], transitions[-1]
    said_BT = y_BTO.gather(2, tags_BT.unsqueeze(2)).squeeze(2)
    step_BT = between_OO[tags_BT[:, :-1], tags_BT[:, 1:]]
    last_B = (valid_BT.sum(dim=1) - 1).clamp(min=0)
    last_B = tags_BT.gather(1, last_B.unsqueeze(1)).squeeze(1)
    score_B = said_BT.masked_fill(~valid_BT, 0.0).sum(dim=1)
    score_B = score_B + step_BT.masked_fill(~valid_BT[:, 1:], 0.0).sum(dim=1)
    return score_B + start_O[tags_BT[:, 0]] + end_O[last_B]


def _mean_score(y_BTO: Tensor, transitions: Tensor, valid_BT: Tensor) -> Tensor:
    """Over all tag sequences: tags of a step, and pairs of neighbours, each come as often."""
    between_OO, start_O, end_O = transitions[:-2], transitions[-2], transitions[-1]
    score_B = y_BTO.mean(dim=2).masked_fill(~valid_BT, 0.0).sum(dim=1)
    num_pairs_B = (valid_BT.sum(dim=1) - 1).clamp(min=0)
    return score_B + num_pairs_B * between_OO.mean() + start_O.mean() + end_O.mean()


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
