"""A fit's rows as batches on its device: cut once and kept where they fit, else cut each time."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import torch

from tuner.data.store import Store
from tuner.tasks._base import Batch, Task
from tuner.training.ranks import Ranks

RESIDENT_BYTES = 64 * 2**20
"""Largest set of rows that a lane keeps as tensors of its own; larger ones stay in the one mapped
copy that all lanes share. Cutting a batch of short sequences anew takes a tenth of its step."""

_CHUNK = 512
"""Rows that are cut at once: few enough for a cache."""


class Batches:
    """Some rows of a task, taken by their places 0 … len - 1."""

    def __init__(
        self, task: Task, store: Store, rows: np.ndarray, device: str, streams: int = 0
    ) -> None:
        """
        Args:
            streams: how many rows form a batch that the next batch goes on with; 0 where rows stand
                by themselves.
        """
        self._task, self._store, self._device = task, store, device
        self.rows, self.streams = rows, streams
        self.lengths_R = task.lengths(store, rows)
        """Steps of each row; None where all rows are as long."""
        if self.lengths_R is not None and (self.lengths_R == self.lengths_R[:1]).all():
            self.lengths_R = None
        self._whole: Batch | None = None
        if (whole := _resident(task, store, rows, self.lengths_R)) is not None:
            self._copies = len(whole.inputs) // len(rows)
            self._longest = _Each(whole.lengths.reshape(len(rows), -1).max(axis=1))
            self._count = _Each(whole.weights.reshape(len(rows), -1).sum(axis=1))
            if task.TARGET_TIMED:
                self._longest_target = _Each(whole.target_lengths)
            self._whole = whole.to_torch(device)
            # What is the same in every row is not chosen row by row.
            timed = task.TIMED | task.TARGET_TIMED
            self._same = {
                name
                for name, array in vars(whole).items()
                if array is None or name not in timed and (array == array.flat[0]).all()
            }

    def __len__(self) -> int:
        return len(self.rows)

    def first(self, num: int) -> Batches:
        """About so many rows, the first ones; of streams whole batches."""
        if self.streams:
            num = max(num // self.streams, 1) * self.streams
        return Batches(self._task, self._store, self.rows[:num], self._device, self.streams)

    def shares(self, ranks: Ranks, size: int) -> list[np.ndarray]:
        """All places, as one rank's pieces of up to `size` rows: one piece at least.

        Rows of like length come together; a rank's streams go on from piece to piece.
        """
        if self.streams:
            steps = np.arange(len(self)).reshape(-1, self.streams)
            return [ranks.share(step) for step in steps]
        mine = self.by_length[ranks.rank :: ranks.size]
        return np.array_split(mine, range(size, len(mine), size))

    @cached_property
    def by_length(self) -> np.ndarray:
        """All places, those of short rows first."""
        if self.lengths_R is None:
            return np.arange(len(self))
        return np.argsort(self.lengths_R, kind="stable")

    def count(self, places: np.ndarray) -> int:
        """Valid elements of the loss in some rows."""
        if self._whole is None:
            return self._task.count(self._store, self.rows[places])
        return self._count.sum(places)

    def take(self, places: np.ndarray) -> Batch:
        """The batch of some rows, no longer than the longest of them."""
        if self._whole is None or not len(places):
            rows = self.rows[places] if len(places) else self.rows[:1]
            batch = self._task.batch(self._store, rows)
            return (batch if len(places) else batch.idle()).to_torch(self._device)
        index = torch.from_numpy(np.ascontiguousarray(places)).to(self._device)
        if self._copies > 1:
            copies = torch.arange(self._copies, device=self._device)
            index = (index[:, None] * self._copies + copies).flatten()
        ends = dict.fromkeys(self._task.TIMED, self._longest.max(places))
        if self._task.TARGET_TIMED:
            longest = max(self._longest_target.max(places), 1)
            ends |= dict.fromkeys(self._task.TARGET_TIMED, longest)
        chosen: dict[str, Any] = {}
        for name, tensor in vars(self._whole).items():
            if name in self._same:
                chosen[name] = None if tensor is None else tensor[: len(index)]
            else:
                part = tensor[:, : ends[name]] if name in ends else tensor
                chosen[name] = part.index_select(0, index)
        return Batch(**chosen)


class _Each:
    """A whole number for each row."""

    def __init__(self, numbers_R: np.ndarray) -> None:
        self._numbers_R = numbers_R.astype(np.int64)
        first = int(self._numbers_R[0])
        self._common = first if (self._numbers_R == first).all() else None

    def sum(self, places: np.ndarray) -> int:
        if self._common is not None:
            return self._common * len(places)
        return int(self._numbers_R[places].sum())

    def max(self, places: np.ndarray) -> int:
        return int(self._numbers_R[places].max()) if self._common is None else self._common


def _resident(
    task: Task, store: Store, rows: np.ndarray, lengths_R: np.ndarray | None
) -> Batch | None:
    """All rows as one padded batch of arrays; None where that is too large, or there are none."""
    if not len(rows):
        return None
    # One row tells the size of all, so that nothing is cut of what cannot be kept.
    first = task.batch(store, rows[:1])
    shapes = {
        name: [len(array) * len(rows), *array.shape[1:]]
        for name, array in vars(first).items()
        if array is not None
    }
    longest = first.inputs.shape[1] if lengths_R is None else int(lengths_R.max())
    ends = dict.fromkeys(task.TIMED, longest)
    if task.TARGET_TIMED:
        longest = max(int(task.target_lengths(store, rows).max()), 1)
        ends |= dict.fromkeys(task.TARGET_TIMED, longest)
    for name, end in ends.items():
        shapes[name][1] = end
    size = sum(math.prod(shape) * getattr(first, name).itemsize for name, shape in shapes.items())
    if size > RESIDENT_BYTES:
        return None
    whole = {name: np.zeros(shape, getattr(first, name).dtype) for name, shape in shapes.items()}
    copies = len(first.inputs)
    for start in range(0, len(rows), _CHUNK):
        piece = task.batch(store, rows[start : start + _CHUNK])
        for name, array_R in whole.items():
            part = getattr(piece, name)
            place_R = array_R[start * copies : start * copies + len(part)]
            if name in ends:
                place_R = place_R[:, : part.shape[1]]
            place_R[...] = part
    return Batch(**whole)
