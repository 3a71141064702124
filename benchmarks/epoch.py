"""Ratio 9: an epoch of ours over the same epoch as a bare `nn.LSTM` loop on resident tensors.

    python benchmarks/epoch.py [--epochs 10] [--repeats 15]

One process, one thread, both arms in turn. An LSTM of 64 units, batches of 32, trained over 1,600
sequences and validated, from permuting the rows to the metrics; ours checks for divergence too,
masks padding, keeps the best weights and makes checkpoints.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure
import work

RATE = 1e-3
TOLERANCE = 0.05
"""Two models on 400 validation rows that are not the same: an accuracy of 0.9 has an error of
0.015, and each model its own seed."""


def ours(folder: Path, prepared: Path, steps: int, epochs: int) -> Callable[[], measure.Run]:
    """Epochs of a trial that never ends within this measurement."""
    from tuner.training.rank import Rank

    rank = Rank("cpu", 1)
    values = {
        "model/hidden_size": work.HIDDEN,
        "optimizer/lr": RATE,
        "training/batch_size": work.BATCH,
        "training/epochs": 10_000,
        **work.TORCH_WEIGHTS,
    }
    rank.start(work.job(prepared, folder / f"trial-{steps}", values))

    def run() -> measure.Run:
        begin = time.perf_counter()
        for _ in range(epochs):
            report = rank.epoch()
        return measure.Run(time.perf_counter() - begin, report.best)

    return run


def bare(data: Path, epochs: int) -> Callable[[], measure.Run]:
    """Epochs of one model that goes on training."""
    rows = work.resident(data)
    fit = work.Bare(rows, RATE)

    def run() -> measure.Run:
        begin = time.perf_counter()
        for _ in range(epochs):
            fit.epoch()
        return measure.Run(time.perf_counter() - begin, fit.best)

    return run


def main() -> None:
    """Measures and prints."""
    options = measure.options(__doc__, epochs=(10, 4), repeats=(15, 8))
    lines: list[Any] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for steps in (50, 20):
            data = folder / f"train-{steps}.parquet"
            work.write_data(data, work.SEQUENCES, steps)
            prepared = work.prepare(folder, folder / f"data-{steps}", {"train": data.name})
            arms = (
                ours(folder, prepared, steps, options.epochs),
                bare(data, options.epochs),
            )
            for arm in arms:
                arm()
            lines.append(
                measure.ratio(
                    f"an epoch of {steps} steps ÷ as a bare loop",
                    measure.interleave(*arms, options.repeats),
                    aim="≤ 1.05",
                    names=("ours", "bare loop"),
                    tolerance=TOLERANCE,
                )
            )
    measure.write("epoch", lines, options)


if __name__ == "__main__":
    main()
