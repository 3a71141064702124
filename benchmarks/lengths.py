"""Ratio 10: sequences of many lengths, batched by like length, over padded to the longest of each.

    python benchmarks/lengths.py [--epochs 12] [--repeats 10]

An LSTM of 64 units in batches of 32 over sequences of 4 to some 200 steps, half of them below 32
(lengths are log-normal). Each repeat trains both arms from the same seed to the same epoch; the
losses that they reach on the validation rows are compared. The baseline pads each batch to its own
longest row, not to the longest of the set.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import work

SEQUENCES = 1500


def write_data(path: Path) -> None:
    """Noisy sequences whose class is the feature that drifts, whatever their length."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(np.log(32), 0.8, SEQUENCES), 4, 200).astype(int)
    label = np.arange(SEQUENCES) % work.CLASSES
    ids = np.repeat(np.arange(SEQUENCES), lengths)
    x = rng.normal(size=(len(ids), work.FEATURES)).astype(np.float32)
    x[np.arange(len(ids)), label[ids]] += 0.5
    columns: dict[str, Any] = {"id": ids, "label": label[ids]}
    pq.write_table(pa.table(columns | {f"x{f}": x[:, f] for f in range(work.FEATURES)}), path)


def arm(folder: Path, data: Path, bucket: int, epochs: int) -> Callable[[], measure.Run]:
    """Trainings from one seed after another."""
    from tuner.training.rank import Rank

    rank, seeds = Rank("cpu", 1), itertools.count()

    def run() -> measure.Run:
        seed = next(seeds)
        values = {
            "model/hidden_size": work.HIDDEN,
            "training/batch_size": work.BATCH,
            "training/epochs": epochs,
            "training/seed": seed,
            "training/bucket": bucket,
        }
        begin = time.perf_counter()
        rank.start(work.job(data, folder / f"trial-{bucket}-{seed}", values, "loss"))
        for _ in range(epochs):
            report = rank.epoch()
        return measure.Run(time.perf_counter() - begin, report.best)

    return run


def main() -> None:
    """Measures and prints."""
    options = measure.options(__doc__, epochs=(12, 6), repeats=(10, 5), bucket=(8, 8))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_data(folder / "train.parquet")
        data = work.prepare(folder, folder / "data", {"train": "train.parquet"})
        line = measure.ratio(
            "many lengths: padded to each batch's longest ÷ bucketed by length",
            measure.interleave(
                arm(folder, data, options.bucket, options.epochs),
                arm(folder, data, 0, options.epochs),
                options.repeats,
            ),
            aim="≥ 1.5",
            names=("bucketed", "padded"),
            tolerance=0.02,
            inverse=True,
        )
    measure.write("lengths", [line], options)


if __name__ == "__main__":
    main()
