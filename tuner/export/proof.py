"""Every format beside the trained network, over all rows of a split.

B rows, T steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tuner.data.store import Store
from tuner.errors import ExportMismatch
from tuner.export.bundle import Bundle
from tuner.export.contents import Proof
from tuner.export.decoding import answered
from tuner.export.exact import TOLERANCE, exact, tolerance
from tuner.tasks._base import Batch, Policy, Split, Task
from tuner.training.playing import policy

ROWS = 512
PIECE = 7
"""Steps in which a graph that streams is fed, odd so that sequences end within a piece."""

Arrays = tuple[np.ndarray, ...]
"""y, with the transitions where there are any."""


def compare(
    bundles: Mapping[str, Bundle],
    network: nn.Module,
    task: Task,
    store: Store,
    split: Split,
    metric: str,
) -> dict[str, tuple[Proof, bool]]:
    """Worst difference and scores of each format, and whether it is equal everywhere, within 1e-5
    or what float32 rounds by.

    Args:
        bundles: the export, opened in each of its formats; streams are fed in pieces.
        network: the trained one, on the CPU in evaluation mode.
        metric: of the task, by which both are scored.

    Raises:
        ExportMismatch: an output or a score is not finite.
    """
    runs = {"": _Sums(task)} | {name: _Sums(task) for name in bundles}
    rows = 0
    for batch, expected, found in _answers(bundles, network, task, store, split):
        rows += len(batch.lengths)
        runs[""].add(batch, expected, expected)
        for name, answer in found.items():
            runs[name].add(batch, answer, expected)
    if task.plays:
        runs[""].play(policy(network), split)
        for name, bundle in bundles.items():
            runs[name].play(_policy(bundle), split)
    for name, run in runs.items():
        if not np.isfinite([run.worst, run.metrics()[metric]]).all():
            raise ExportMismatch(
                f"an export must give finite numbers as the trained network does; on the {rows} "
                f"{split} rows {name or 'the network'} does not. Report this with the sweep's "
                "folder. [export/mismatch]"
            )
    allowed = TOLERANCE
    if any(run.worst_scaled > TOLERANCE for run in runs.values()):
        allowed = tolerance(_rounding(network, task, store, split))
    return {
        name: (
            Proof(
                split=split,
                rows=rows,
                metric=metric,
                network=runs[""].metrics()[metric],
                export=run.metrics()[metric],
                difference=run.worst,
            ),
            run.worst_scaled <= allowed,
        )
        for name, run in runs.items()
        if name
    }


def _rounding(network: nn.Module, task: Task, store: Store, split: Split) -> float:
    """The worst scaled difference between the network and the same in double precision."""
    sums = _Sums(task)
    both = network, exact(network)
    runs = (_answers({}, each, task, store, split) for each in both)
    for (batch, found, _), (_, expected, _) in zip(*runs, strict=True):
        sums.add(batch, found, expected)
    return sums.worst_scaled


class _Sums:
    """What is kept of the answers of one run."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._total: Tensor | None = None
        self.worst = self.worst_scaled = 0.0

    def add(self, batch: Batch, found: Arrays, expected: Arrays) -> None:
        """Counts one batch."""
        tensors = tuple(map(torch.from_numpy, found))
        outputs: Any = tensors if len(tensors) > 1 else tensors[0]
        sums = self._task.statistics(outputs, batch.to_torch("cpu"))
        self._total = sums if self._total is None else self._total + sums
        if self._task.reads_targets:
            # What is decoded is compared by what is scored of it.
            counted_BU = batch.weights > 0
            found, expected = (found[0][counted_BU],), (expected[0][counted_BU],)
        lengths_B = self._task.output_steps(batch.lengths)
        for place, (one, other) in enumerate(zip(found, expected, strict=True)):
            if place == 0 and self._task.per_step:
                valid_BT = np.arange(one.shape[1]) < lengths_B[:, None]
                one, other = one[valid_BT], other[valid_BT]
            apart = np.abs(one - other)
            scaled = apart / np.maximum(1.0, np.abs(other))
            # numpy's maximum keeps a NaN.
            self.worst = float(np.maximum(self.worst, apart.max(initial=0.0)))
            self.worst_scaled = float(np.maximum(self.worst_scaled, scaled.max(initial=0.0)))

    def play(self, policy: Policy, split: Split) -> None:
        """Counts what it earns in an environment."""
        assert self._total is not None, "a split without rows"
        self._total = self._total + torch.from_numpy(self._task.played(policy, split))

    def metrics(self) -> dict[str, float]:
        """The task's, over all that was added."""
        assert self._total is not None, "a split without rows"
        return self._task.metrics(self._total.tolist())


def _answers(
    bundles: Mapping[str, Bundle],
    network: Callable[..., Any],
    task: Task,
    store: Store,
    split: Split,
) -> Iterator[tuple[Batch, Arrays, dict[str, Arrays]]]:
    """Batch after batch, what the network says of it and what each format does."""
    if task.window:
        num = task.num_streams(store, split)
        state: list[Tensor] | None = None
        states = {name: bundle.start(num) for name, bundle in bundles.items()}
        for rows in task.streams(store, split, None, num):
            batch = task.batch(store, rows)
            x, lengths_B = torch.from_numpy(batch.inputs), torch.from_numpy(batch.lengths)
            with torch.no_grad():
                y, state = network(x, lengths_B, state)
            found: dict[str, Arrays] = {}
            for name, bundle in bundles.items():
                answer, states[name] = bundle.carry(batch.inputs, batch.lengths, states[name])
                found[name] = (answer,)
            yield batch, (y.numpy(),), found
        return
    all_rows = task.rows(store, split, None)
    for start in range(0, len(all_rows), ROWS):
        batch = task.batch(store, all_rows[start : start + ROWS])
        given = [batch.inputs, batch.lengths, *([batch.targets] if task.reads_targets else [])]
        with torch.no_grad():
            outputs = network(*map(torch.from_numpy, given), **batch.to_torch("cpu").named)
        expected = outputs if isinstance(outputs, tuple) else (outputs,)
        found = {name: _given(bundle, task, batch) for name, bundle in bundles.items()}
        yield batch, tuple(part.detach().numpy() for part in expected), found


def _given(bundle: Bundle, task: Task, batch: Batch) -> Arrays:
    if bundle.contents.about.signature.ragged:
        return (in_pieces(bundle, batch.inputs, batch.lengths, PIECE),)
    outputs = answered(bundle, batch, task)
    return outputs if isinstance(outputs, tuple) else (outputs,)


def in_pieces(bundle: Bundle, x: np.ndarray, lengths_B: np.ndarray, steps: int) -> np.ndarray:
    """The outputs of a graph that streams, fed so many steps at a time."""
    states, outputs = bundle.start(len(x)), []
    for begin in range(0, x.shape[1], steps):
        piece = x[:, begin : begin + steps]
        y, states = bundle.carry(piece, np.clip(lengths_B - begin, 0, piece.shape[1]), states)
        outputs.append(y)
    per_step = bundle.contents.about.signature.per_step
    return np.concatenate(outputs, axis=1) if per_step else outputs[-1]


def _policy(bundle: Bundle) -> Policy:
    """A graph that streams, fed a step at a time."""

    def step(x_B1I: np.ndarray, lengths_B: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        return bundle.carry(x_B1I, lengths_B, bundle.start(len(x_B1I)) if state is None else state)

    return step


def share_lost(proof: Proof, *, maximize: bool) -> float:
    """What a format lost of the network's score, as a share of it; below 0 where it gained.

    Of a score of 0 it is the difference itself.
    """
    lost = proof.network - proof.export if maximize else proof.export - proof.network
    return lost / abs(proof.network) if proof.network else lost
