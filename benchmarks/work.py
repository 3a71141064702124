"""The work that benchmarks share: made sequences, a sweep over them, the same as bare loops."""

from __future__ import annotations

import json
import multiprocessing
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from measure import Run

SLOTS = 2
STEPS, SEQUENCES, EPOCHS = 50, 2000, 10
"""Of a trial that takes some 2 s on one core."""
FEATURES, CLASSES, HIDDEN, BATCH = 8, 4, 64, 32
RATES = (1e-4, 1e-2)
TASK = {"name": "classification"}
TORCH_WEIGHTS = {
    "initialization/recurrent": "uniform",
    "initialization/input": "uniform",
    "initialization/forget_bias": 0.0,
}
"""Recurrent weights as torch starts them, and so the scripts that ours is compared with."""


def write_data(path: Path, num: int, steps: int) -> None:
    """Noisy sequences whose class is the feature that drifts."""
    rng = np.random.default_rng(0)
    label = np.arange(num) % CLASSES
    x = rng.normal(size=(num, steps, FEATURES)).astype(np.float32)
    x[np.arange(num), :, label] += 0.5
    columns: dict[str, Any] = {
        "id": np.repeat(np.arange(num), steps),
        "label": np.repeat(label, steps),
    }
    columns |= {f"x{f}": x[:, :, f].ravel() for f in range(FEATURES)}
    pq.write_table(pa.table(columns), path)


def prepare(folder: Path, target: Path, files: dict[str, str]) -> Path:
    """Prepares the files of a folder as a sweep does; gives the target."""
    from tuner import registry
    from tuner.data.config import DataConfig
    from tuner.data.prepare import prepare

    module = registry.get("tasks", TASK["name"])
    config = DataConfig.model_validate({**files, "id": "id", "target": "label"})
    prepare(config, module.data(module.Config()), folder, target, 0)
    return target


def job(data: Path, folder: Path, values: dict[str, Any], metric: str = "accuracy") -> Any:
    """A trial over prepared data, kept under a folder."""
    from tuner.training.job import Job

    return Job(
        data=str(data),
        folder=str(folder),
        task=TASK,
        values=values,
        metric=metric,
        maximize=metric == "accuracy",
    )


def write_spec(
    path: Path, data: Path, *, trials: int, epochs: int, hidden: int = HIDDEN, workers: int = 1
) -> Path:
    """A grid over the learning rate alone: every trial is the same work, as in `bare_loops`."""
    section = {
        "name": path.stem,
        "task": TASK["name"],
        "data": {"train": str(data), "id": "id", "target": "label"},
        "space": {
            "parameters": {
                "optimizer/lr": {"float": list(RATES), "log": True, "default": RATES[0]},
                "model/hidden_size": hidden,
                "training/epochs": epochs,
                "training/batch_size": BATCH,
                **TORCH_WEIGHTS,
            }
        },
        "search": {
            "sampler": "grid",
            "grid_points": max(2, trials),
            "scheduler": "none",
            "trials": trials,
            # What is measured is the search; no rival trains its winner again.
            "confirm": 0,
        },
        "resources": {"workers": workers},
    }
    path.write_text(json.dumps(section), encoding="utf-8")
    return path


def sweep(path: Path, home: Path, *, offline: bool = False) -> Run:
    """A whole sweep, from reading the spec to the last record in MLflow; its mean accuracy."""
    from tuner import Sweep

    begin = time.perf_counter()
    board = Sweep.from_file(path, home=home).run(offline=offline)
    seconds = time.perf_counter() - begin
    assert set(board.counts()) == {"COMPLETE"}, board.counts()
    values = [row.value for row in board.rows if row.value is not None]
    return Run(seconds, statistics.fmean(values))


def resident(path: Path) -> tuple[Any, Any, Any, Any]:
    """All sequences as standardised tensors, x_BTF and y_B, and rows to train and validate on."""
    import torch

    table = pq.read_table(path)
    steps = table.num_rows // len(set(table["id"].to_pylist()))
    x = np.stack([table[f"x{f}"].to_numpy() for f in range(FEATURES)], 1)
    x_BTF = torch.from_numpy((x - x.mean(0)) / x.std(0)).reshape(-1, steps, FEATURES)
    y_B = torch.from_numpy(table["label"].to_numpy()[::steps].copy())
    order = torch.randperm(len(y_B), generator=torch.Generator().manual_seed(0))
    return x_BTF, y_B, order[len(y_B) // 5 :], order[: len(y_B) // 5]


class Bare:
    """One model trained the way a textbook does."""

    def __init__(self, data: tuple[Any, Any, Any, Any], rate: float, seed: int = 0) -> None:
        import torch
        from torch import nn

        torch.manual_seed(seed)
        self.data = data
        self.lstm, self.head = (
            nn.LSTM(FEATURES, HIDDEN, batch_first=True),
            nn.Linear(HIDDEN, CLASSES),
        )
        parameters = [*self.lstm.parameters(), *self.head.parameters()]
        # As ours start, beside what TORCH_WEIGHTS says: else unequal starts hide unequal work.
        nn.init.xavier_uniform_(self.head.weight)
        with torch.no_grad():
            for parameter in parameters:
                if parameter.ndim == 1:
                    parameter.zero_()
        self.optimizer = torch.optim.Adam(parameters, lr=rate, fused=True)
        self.best = 0.0

    def epoch(self) -> None:
        """Trains over all rows once, then validates."""
        import torch
        from torch.nn.functional import cross_entropy

        x_BTF, y_B, train, validation = self.data
        for rows in train[torch.randperm(len(train))].split(BATCH):
            self.optimizer.zero_grad()
            outputs, _ = self.lstm(x_BTF[rows])
            cross_entropy(self.head(outputs[:, -1]), y_B[rows]).backward()
            self.optimizer.step()
        with torch.no_grad():
            outputs, _ = self.lstm(x_BTF[validation])
            hits = self.head(outputs[:, -1]).argmax(1) == y_B[validation]
            self.best = max(self.best, hits.float().mean().item())


def train(data: tuple[Any, Any, Any, Any], rate: float, epochs: int) -> float:
    """The best validation accuracy of a whole training."""
    fit = Bare(data, rate)
    for _ in range(epochs):
        fit.epoch()
    return fit.best


def _slot(path: Path, rates: list[float], epochs: int, scores: Any) -> None:
    import torch

    torch.set_num_threads(1)
    data = resident(path)
    scores.put([train(data, rate, epochs) for rate in rates])


def bare_loops(path: Path, trials: int, epochs: int) -> Run:
    """The same trainings in two processes, their start included; their mean accuracy."""
    context = multiprocessing.get_context("spawn")
    scores = context.Queue()
    rates = np.geomspace(*RATES, trials).tolist()
    begin = time.perf_counter()
    processes = [
        context.Process(target=_slot, args=(path, rates[slot::SLOTS], epochs, scores))
        for slot in range(SLOTS)
    ]
    for process in processes:
        process.start()
    found = [score for _ in processes for score in scores.get()]
    seconds = time.perf_counter() - begin
    for process in processes:
        process.join()
    return Run(seconds, statistics.fmean(found))
