"""The rows that a fit learns from: sampled, made and changed anew in every epoch.

All of it follows from seed, epoch and row alone, so that resuming a trial repeats it and any number
of ranks makes the same rows. Rows that are scored come from `Batches` and are as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from tuner.config import TrialConfig
from tuner.data.augmentations._chance import Chance, keys
from tuner.data.store import Store
from tuner.errors import InputError
from tuner.tasks._base import Batch, Task
from tuner.training.augmentation import augmentations, unreadable
from tuner.training.batches import Batches
from tuner.training.order import order, within
from tuner.training.sampling import Visits, between, nearest, visits


class TrainingRows(Batches):
    """The training rows of a fit, taken by the visits 0 … len - 1 of an epoch.

    Args:
        stream: seeds of the fit.
        streams: rows of a batch that the next batch goes on with; see `Batches`.

    Raises:
        InputError: an augmentation or synthetic rows on inputs that they cannot read.
    """

    def __init__(
        self,
        task: Task,
        store: Store,
        rows: np.ndarray,
        device: str,
        config: TrialConfig,
        stream: Sequence[int],
        streams: int = 0,
    ) -> None:
        super().__init__(task, store, rows, device, streams)
        self._config, self._stream = config, stream
        first = super().take(np.arange(len(rows))[:1])
        tokens = not first.inputs.is_floating_point()
        self._num_steps = first.inputs.shape[1]
        if mistakes := unreadable(config, tokens):
            raise InputError(mistakes)
        self._augmentations = augmentations(config.augmentation)
        self._balance = task.balance(store, rows)
        self._nearest_RK: np.ndarray | None = None
        if self._balance is not None and self._balance.how == "synthetic":
            self._nearest_RK = nearest(super().take, self.lengths_R, self._balance)
        self._begin(0)

    def __len__(self) -> int:
        return len(self._visits.place_V)

    @property
    def rows_per_epoch(self) -> float:
        """Training rows that an epoch visits, on average."""
        return len(self) / self._parts

    @property
    def _parts(self) -> int:
        """Epochs in which all training rows are visited once."""
        return round(1 / self._config.training.epoch_share)

    def steps(self, epoch: int) -> list[np.ndarray]:
        """Draws the visits of an epoch, from 1, and gives them as global batches in their order."""
        visit, part = divmod(epoch - 1, self._parts)
        batches = self._all_steps(visit + 1)
        first = part * len(batches) // self._parts
        # An epoch of fewer batches than shares repeats one.
        return batches[first : max((part + 1) * len(batches) // self._parts, first + 1)]

    def _all_steps(self, visit: int) -> list[np.ndarray]:
        """The batches of a whole visit of the training rows, from 1."""
        chance = self._begin(visit)
        training = self._config.training
        if self.streams:
            return list(np.arange(len(self)).reshape(-1, self.streams))
        lengths_V = None if self.lengths_R is None else self.lengths_R[self._visits.place_V]
        if training.batch_tokens:
            if lengths_V is None:
                lengths_V = np.full(len(self), self._num_steps)
            return within(chance, lengths_V, training.batch_tokens, training.bucket)
        size = training.batch_size
        places = order(chance, lengths_V, len(self), size, training.bucket)
        return np.array_split(places, range(size, len(places), size))

    def count(self, places: np.ndarray) -> int:
        return super().count(self._visits.place_V[places])

    def take(self, places: np.ndarray) -> Batch:
        batch = super().take(self._visits.place_V[places])
        if not len(places):
            # An idle row draws, too, so that every rank does the same.
            return self._drawn(batch, np.zeros(len(batch.lengths), dtype=np.int64))
        batch = self._drawn(self._between(batch, places), places)
        if self._augmentations:
            keys_B = self._keys(places)
            for name, part, strength in self._augmentations:
                chance = Chance(keys_B, name)
                batch = part.apply(batch, strength, chance, lambda: self._others(keys_B))
        return batch

    def _begin(self, epoch: int) -> np.random.Generator:
        stream = [*self._stream, epoch]
        self._key = int(np.random.SeedSequence(stream).generate_state(1, np.uint64)[0])
        chance = np.random.default_rng(stream)
        self._visits: Visits = visits(self._balance, len(self.rows), self._nearest_RK, chance)
        return chance

    def _keys(self, places: np.ndarray) -> torch.Tensor:
        numbers_B = torch.from_numpy(np.ascontiguousarray(places)).to(self._device)
        return keys(self._key, numbers_B)

    def _drawn(self, batch: Batch, places: np.ndarray) -> Batch:
        if not self._task.draws:
            return batch
        return self._task.drawn(batch, Chance(self._keys(places), "loss"))

    def _between(self, batch: Batch, places: np.ndarray) -> Batch:
        """Synthetic rows where there are to be some."""
        if self._visits.partner_V is None or self._visits.share_V is None:
            return batch
        partner_B = self._visits.partner_V[places]
        if not (partner_B >= 0).any():
            return batch
        own_B = self._visits.place_V[places]
        share_B = np.where(partner_B < 0, np.float32(0), self._visits.share_V[places])
        partners = super().take(np.where(partner_B < 0, own_B, partner_B))
        return between(batch, partners, torch.from_numpy(share_B).to(batch.inputs.device))

    def _others(self, keys_B: torch.Tensor) -> Batch:
        """As many rows as there are keys, each of them any training row."""
        share_B = Chance(keys_B, "others").uniform(1)[:, 0].cpu().numpy().astype(np.float64)
        return super().take((share_B * len(self.rows)).astype(np.int64))
