"""A fit's rows as batches on its device: cut once and kept where they fit, else cut each time."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import torch

from tuner.data.store import Store
from tuner.tasks._base import Batch, Task

RESIDENT_BYTES = 256 * 2**20
"""Largest set of rows that is kept as tensors. Cutting a batch of short sequences anew takes a
tenth of the time of its step."""

_CHUNK = 4096


class Batches:
    """Some rows of a task, taken by their places 0 … len - 1."""

    def __init__(self, task: Task, store: Store, rows: np.ndarray, device: str) -> None:
        self._task, self._store, self._device = task, store, device
        self.rows = rows
        self._whole: Batch | None = None
        if (whole := _resident(task, store, rows)) is not None:
            self._longest_R = _per_row(whole.lengths, len(rows)).max(axis=1)
            self._count_R = _per_row(whole.weights, len(rows)).sum(axis=1, dtype=np.int64)
            self._whole = whole.to_torch(device)
            self._copies = len(whole.inputs) // len(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def count(self, places: np.ndarray) -> int:
        """Valid elements of the loss in some rows."""
        if self._whole is None:
            return self._task.count(self._store, self.rows[places])
        return int(self._count_R[places].sum())

    def take(self, places: np.ndarray) -> Batch:
        """The batch of some rows, no longer than the longest of them."""
        if self._whole is None or not len(places):
            rows = self.rows[places] if len(places) else self.rows[:1]
            batch = self._task.batch(self._store, rows)
            return (batch if len(places) else batch.idle()).to_torch(self._device)
        longest = int(self._longest_R[places].max())
        index = torch.from_numpy(np.ascontiguousarray(places)).to(self._device)
        if self._copies > 1:
            index = (index[:, None] * self._copies + torch.arange(self._copies)).flatten()

        def chosen(name: str) -> Any:
            array = getattr(self._whole, name)
            if array is None:
                return None
            return (array[:, :longest] if name == "inputs" else array).index_select(0, index)

        return Batch(**{field.name: chosen(field.name) for field in fields(Batch)})


def _resident(task: Task, store: Store, rows: np.ndarray) -> Batch | None:
    """All rows as one padded batch of arrays; None where that is too large, or there are none."""
    pieces: list[Batch] = []
    size = 0
    for start in range(0, len(rows), _CHUNK):
        pieces.append(task.batch(store, rows[start : start + _CHUNK]))
        # The rest is taken to be like this piece, so that what cannot fit ends early.
        size += pieces[-1].num_bytes
        if size * len(rows) / min(start + _CHUNK, len(rows)) > RESIDENT_BYTES:
            return None
    if len(pieces) < 2:
        return pieces[0] if pieces else None
    longest = max(piece.inputs.shape[1] for piece in pieces)

    def joined(name: str) -> Any:
        arrays = [getattr(piece, name) for piece in pieces]
        if arrays[0] is None:
            return None
        if name == "inputs":
            arrays = [np.pad(a, ((0, 0), (0, longest - a.shape[1]), (0, 0))) for a in arrays]
        return np.concatenate(arrays)

    return Batch(**{field.name: joined(field.name) for field in fields(Batch)})


def _per_row(array: np.ndarray, num_rows: int) -> np.ndarray:
    return array.reshape(num_rows, -1)
