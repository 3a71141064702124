"""Which rows an epoch visits, so that every class comes as often, and between which it makes some.

R training rows   V visits of an epoch   M rows of a class   K neighbours
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from tuner.data.augmentations._steps import of_length, stretched
from tuner.tasks._balance import Balance
from tuner.tasks._base import Batch

Rows = Callable[[np.ndarray], Batch]

_CHUNK = 256
_MOST_STEPS = 64
"""Of the common length at which rows are compared: what neighbours are does not hang on more."""


@dataclass(frozen=True, eq=False)
class Visits:
    """The rows of an epoch."""

    place_V: np.ndarray
    """int64: place of each among the training rows."""
    partner_V: np.ndarray | None = None
    """int64: place of the row that a synthetic one lies towards; -1 for a row as it is. None where
    all are."""
    share_V: np.ndarray | None = None
    """float32: how far it lies on the way there."""


def visits(
    balance: Balance | None, num: int, nearest_RK: np.ndarray | None, chance: np.random.Generator
) -> Visits:
    """The rows of one epoch, those of the training set in their order first.

    Args:
        num: training rows.
        nearest_RK: from `nearest`, for synthetic rows.
    """
    if balance is None:
        return Visits(np.arange(num))
    members = [np.flatnonzero(balance.class_R == c) for c in np.unique(balance.class_R)]
    sizes = [len(rows) for rows in members]
    if balance.how == "under":
        kept = [chance.choice(rows, min(sizes), replace=False) for rows in members]
        return Visits(np.sort(np.concatenate(kept)))
    again = np.concatenate([_again(rows, max(sizes) - len(rows), chance) for rows in members])
    place_V = np.concatenate([np.arange(num), again])
    if nearest_RK is None:
        return Visits(place_V)
    picked = chance.integers(0, nearest_RK.shape[1], len(again))
    partner_V = np.concatenate([np.full(num, -1), nearest_RK[again, picked]])
    return Visits(place_V, partner_V, chance.random(len(place_V), dtype=np.float32))


def _again(rows: np.ndarray, count: int, chance: np.random.Generator) -> np.ndarray:
    """`count` rows, each as often as any other but for a rest."""
    rest = chance.choice(rows, count % len(rows), replace=False)
    return np.concatenate([np.repeat(rows, count // len(rows)), rest])


def nearest(rows: Rows, lengths_R: np.ndarray | None, balance: Balance) -> np.ndarray:
    """nearest_RK, int64: the nearest rows of each row's class, itself where there are no others.

    Nearness is that of all values after every row was brought to one length, and of those of a
    second input. Rows of the commonest class, between which none is made, stand for themselves.

    Args:
        rows: gives the batch of some places; inputs are numbers.
        lengths_R: of the rows; None where all are as long.
    """
    class_R = balance.class_R
    longest = rows(np.arange(1)).inputs.shape[1]
    length = min(_MOST_STEPS, longest if lengths_R is None else int(np.median(lengths_R)))
    classes, sizes = np.unique(class_R, return_counts=True)
    nearest_RK = np.repeat(np.arange(len(class_R))[:, None], balance.neighbors, axis=1)
    for number, size in zip(classes, sizes, strict=True):
        if 1 < size < sizes.max():
            members_M = np.flatnonzero(class_R == number)
            points = []
            for start in range(0, size, _CHUNK):
                batch = rows(members_M[start : start + _CHUNK])
                wanted_B = torch.full_like(batch.lengths, length)
                point = stretched(batch.inputs, batch.lengths, wanted_B, length).flatten(1)
                points.append(point if batch.side is None else torch.cat([point, batch.side], 1))
            near_MK = _nearest(torch.cat(points), min(balance.neighbors, size - 1))
            # Fewer neighbours than asked for come round again.
            columns_K = np.arange(balance.neighbors) % near_MK.shape[1]
            nearest_RK[members_M] = members_M[near_MK[:, columns_K]]
    return nearest_RK


def _nearest(points_MD: torch.Tensor, count: int) -> np.ndarray:
    """Places of the nearest other points of each point."""
    found = []
    for start in range(0, len(points_MD), _CHUNK):
        distances = torch.cdist(points_MD[start : start + _CHUNK], points_MD)
        rows = torch.arange(len(distances), device=distances.device)
        distances[rows, rows + start] = torch.inf
        found.append(distances.topk(count, largest=False).indices)
    places: np.ndarray = torch.cat(found).cpu().numpy()
    return places


def between(batch: Batch, partners: Batch, share_B: torch.Tensor) -> Batch:
    """Rows on the way from one to another, their lengths and second inputs too; at share 0 the row
    itself.
    """
    way_B = share_B * (partners.lengths - batch.lengths)
    lengths_B = batch.lengths + way_B.round().long()
    num_steps = int(max(batch.inputs.shape[1], partners.inputs.shape[1]))
    one, other = (stretched(b.inputs, b.lengths, lengths_B, num_steps) for b in (batch, partners))
    share_B11 = share_B[:, None, None]
    if batch.side is not None:
        batch = replace(batch, side=torch.lerp(batch.side, partners.side, share_B[:, None]))
    return of_length(batch, (1 - share_B11) * one + share_B11 * other, lengths_B)
