"""One rank and two follow the same curve: the largest difference, relative, over three epochs.

    python benchmarks/ranks.py [--epochs 3]

The same trial on the same sequences of 1 to 40 steps, dropout off, trained by one process and by
two that meet through gloo on this machine.
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import work


def prepare(folder: Path) -> None:
    """Noisy sequences of many lengths whose class is where they drift."""
    rng = np.random.default_rng(0)
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "x", "y", "label"])
        for i in range(601):
            for _ in range(int(rng.integers(1, 41))):
                writer.writerow([i, rng.normal(i % 3 - 1, 1), rng.normal(), "abc"[i % 3]])
    work.prepare(folder, folder / "data", {"train": "rows.csv"})


def train(rank: int, size: int, folder: Path, cell: str, epochs: int, curves: Any) -> None:
    """One rank of a gang; the first one puts its curve."""
    from tuner.training.rank import Rank

    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    lane = Rank("cpu", 1)
    if size > 1:
        lane.join(rank, size, f"file://{folder}/meet-{cell}")
    values = {
        "model/cell": cell,
        "model/hidden_size": 64,
        "model/layers": 2,
        "model/directions": 2,
        "training/epochs": epochs,
        "training/clip_norm": 1.0,
    }
    lane.start(work.job(folder / "data", folder / f"{cell}-{size}", values))
    reports = [lane.epoch() for _ in range(epochs)]
    if rank == 0:
        curves.put([{n: r.metrics[n] for n in ("train_loss", "loss")} for r in reports])
    lane.leave()


def curve(size: int, folder: Path, cell: str, epochs: int) -> list[dict[str, float]]:
    """Losses of each epoch, trained by so many ranks."""
    context = multiprocessing.get_context("spawn")
    curves = context.Queue()
    ranks = [
        context.Process(target=train, args=(rank, size, folder, cell, epochs, curves))
        for rank in range(size)
    ]
    for process in ranks:
        process.start()
    found: list[dict[str, float]] = curves.get(timeout=600)
    for process in ranks:
        process.join()
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        prepare(folder)
        for cell in ("lstm", "gru", "rnn"):
            one, two = (curve(size, folder, cell, options.epochs) for size in (1, 2))
            worst = max(
                abs(a[name] - b[name]) / abs(a[name])
                for a, b in zip(one, two, strict=True)
                for name in a
            )
            losses = " ".join(f"{epoch['train_loss']:.6f}" for epoch in one)
            print(f"{cell:5s} losses {losses}; largest relative difference {worst:.1e}")


if __name__ == "__main__":
    main()
