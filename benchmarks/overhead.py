"""What the platform costs beyond training: one run, two arms in the same two slots.

    python benchmarks/overhead.py [--trials 100] [--no-ops 200]

1. N trials of some 1.5 s through a sweep (Ray already started, MLflow on), between two halves of
   the same trainings as bare torch loops in two processes: bare N/2, sweep N, bare N/2.
2. N trials that train next to nothing through a sweep on two lanes, and as many empty class
   trainables in Tune alone with reused actors: the fixed cost of a trial, and Tune's share of it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SLOTS = 2
STEPS, FEATURES, CLASSES, HIDDEN, BATCH = 20, 8, 4, 64, 32


def write_data(path: Path, num: int, steps: int) -> None:
    """Noisy sequences whose class is the feature that drifts."""
    rng = np.random.default_rng(0)
    label = np.arange(num) % CLASSES
    x = rng.normal(size=(num, steps, FEATURES)).astype(np.float32)
    x[np.arange(num), :, label] += 0.2
    columns: dict[str, Any] = {
        "id": np.repeat(np.arange(num), steps),
        "label": np.repeat(label, steps),
    }
    columns |= {f"x{f}": x[:, :, f].ravel() for f in range(FEATURES)}
    pq.write_table(pa.table(columns), path)


def spec(folder: Path, name: str, trials: int, epochs: int, hidden: int) -> Path:
    """A sweep over the learning rate alone, so that every trial is the same work."""
    path = folder / f"{name}.yaml"
    path.write_text(
        json.dumps(
            {
                "name": name,
                "task": "classification",
                "data": {"train": f"{name}.parquet", "id": "id", "target": "label"},
                "space": {
                    "parameters": {
                        "optimizer/lr": {"float": [1e-4, 1e-2], "log": True, "default": 1e-3},
                        "model/hidden_size": hidden,
                        "training/epochs": epochs,
                        "training/batch_size": BATCH,
                    }
                },
                "search": {"sampler": "random", "scheduler": "none", "trials": trials},
            }
        )
    )
    return path


def bare(path: Path, rates: list[float], epochs: int, barrier: Any) -> None:
    """Trains one model after the other the way a textbook does, with validation every epoch."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    table = pq.read_table(path)
    num = table.num_rows // STEPS
    x = np.stack([table[f"x{f}"].to_numpy() for f in range(FEATURES)], 1)
    x_BTF = torch.from_numpy((x - x.mean(0)) / x.std(0)).reshape(num, STEPS, FEATURES)
    y_B = torch.from_numpy(table["label"].to_numpy()[::STEPS].copy())
    order = torch.randperm(num, generator=torch.Generator().manual_seed(0))
    validation, train = order[: num // 5], order[num // 5 :]
    barrier.wait()
    for rate in rates:
        lstm, head = nn.LSTM(FEATURES, HIDDEN, batch_first=True), nn.Linear(HIDDEN, CLASSES)
        parameters = [*lstm.parameters(), *head.parameters()]
        optimizer = torch.optim.Adam(parameters, lr=rate, fused=True)
        for _ in range(epochs):
            for rows in train[torch.randperm(len(train))].split(BATCH):
                optimizer.zero_grad()
                outputs, _ = lstm(x_BTF[rows])
                nn.functional.cross_entropy(head(outputs[:, -1]), y_B[rows]).backward()
                optimizer.step()
            with torch.no_grad():
                outputs, _ = lstm(x_BTF[validation])
                (head(outputs[:, -1]).argmax(1) == y_B[validation]).float().mean().item()
    barrier.wait()


def time_bare(path: Path, trials: int, epochs: int) -> float:
    """Wall seconds of bare loops in two processes, their start left out."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(SLOTS + 1)
    rates = np.geomspace(1e-4, 1e-2, trials).tolist()
    processes = [
        context.Process(target=bare, args=(path, rates[slot::SLOTS], epochs, barrier))
        for slot in range(SLOTS)
    ]
    for process in processes:
        process.start()
    barrier.wait()
    begin = time.perf_counter()
    barrier.wait()
    seconds = time.perf_counter() - begin
    for process in processes:
        process.join()
    return seconds


def time_sweep(path: Path, home: Path) -> float:
    """Wall seconds of a whole sweep, from reading the spec to the last record in MLflow."""
    from tuner import Sweep

    begin = time.perf_counter()
    board = Sweep.from_file(path, home=home).run()
    seconds = time.perf_counter() - begin
    assert set(board.counts()) == {"COMPLETE"}, board.counts()
    return seconds


def time_tune(trials: int, folder: Path) -> float:
    """Wall seconds of empty class trainables in Tune alone."""
    from ray import tune

    class Nothing(tune.Trainable):  # type: ignore[misc]
        def setup(self, config: dict[str, Any]) -> None: ...

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            return True

        def step(self) -> dict[str, Any]:
            return {"value": 0.0, "done": True}

        def save_checkpoint(self, checkpoint_dir: str) -> None: ...

        def load_checkpoint(self, checkpoint: Any) -> None: ...

    begin = time.perf_counter()
    tune.Tuner(
        tune.with_resources(Nothing, {"CPU": 1}),
        param_space={"x": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(
            num_samples=trials, max_concurrent_trials=SLOTS, reuse_actors=True
        ),
        run_config=tune.RunConfig(storage_path=str(folder / "tune"), verbose=0),
    ).fit()
    return time.perf_counter() - begin


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--no-ops", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=17)
    options = parser.parse_args()

    from cluster.connect import connected

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_data(folder / "train.parquet", 1000, STEPS)
        write_data(folder / "nothing.parquet", 40, 1)
        train = spec(folder, "train", options.trials, options.epochs, HIDDEN)
        nothing = spec(folder, "nothing", options.no_ops, 1, 1)
        with connected():
            half = options.trials // 2
            first = time_bare(folder / "train.parquet", half, options.epochs)
            sweep = time_sweep(train, folder / "home")
            second = time_bare(folder / "train.parquet", options.trials - half, options.epochs)
            fixed = time_sweep(nothing, folder / "home")
            tune = time_tune(options.no_ops, folder)
    floor = first + second
    each = floor * SLOTS / options.trials
    print(f"{options.trials} trainings of {each:.2f} s in {SLOTS} slots")
    print(f"  bare loops        {first:.1f} + {second:.1f} = {floor:.1f} s")
    print(f"  through a sweep   {sweep:.1f} s, ratio {sweep / floor:.3f}")
    print(f"{options.no_ops} trials that train nothing, in {SLOTS} slots")
    print(f"  through a sweep   {fixed:.1f} s, {1000 * fixed / options.no_ops:.0f} ms per trial")
    print(f"  Tune alone        {tune:.1f} s, {1000 * tune / options.no_ops:.0f} ms per trial")


if __name__ == "__main__":
    main()
