"""What a model costs, whatever it has learned: its size, and the time that one sequence takes."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import torch

from tuner.tasks._base import Batch

if TYPE_CHECKING:
    from tuner.training.fit import Fit

_WARM_UP = 3
_RUNS = 50
_SECONDS = 0.5
"""A slow model is run fewer times than that, but five at the least."""


def costs(fit: Fit, *, latency: bool) -> dict[str, float]:
    """Trainable `parameters`, `bytes` of all weights and statistics and, if asked, `latency_ms`.

    Latency is the median time of PyTorch's eager forward pass over one validation row of median
    length, warmed up, on this rank's device and threads: comparable within a sweep, and slower
    than an exported graph.
    """
    storages = {tensor.data_ptr(): tensor for tensor in fit.module.state_dict().values()}
    found: dict[str, float] = {
        "parameters": sum(p.numel() for p in fit.module.parameters()),
        # Tied weights lie in one place.
        "bytes": sum(tensor.numel() * tensor.element_size() for tensor in storages.values()),
    }
    if latency:
        found["latency_ms"] = 1000 * _median_seconds(fit)
    return found


def _median_seconds(fit: Fit) -> float:
    batch = _one_row(fit)
    training = fit.module.training
    fit.module.eval()
    seconds: list[float] = []
    try:
        with torch.no_grad():
            for _ in range(_WARM_UP):
                fit.run(fit.module, batch, None)
            begin = time.perf_counter()
            while len(seconds) < _RUNS:
                _finish(fit.ranks.device)
                start = time.perf_counter()
                fit.run(fit.module, batch, None)
                _finish(fit.ranks.device)
                seconds.append(time.perf_counter() - start)
                if len(seconds) >= 5 and time.perf_counter() - begin > _SECONDS:
                    break
    finally:
        fit.module.train(training)
    return median(seconds)


def _one_row(fit: Fit) -> Batch:
    """The validation row whose length is the median."""
    place = fit.validation.by_length[len(fit.validation) // 2]
    batch = fit.validation.take(np.array([place]))
    # One row may hold several sequences: the channels of a series, where they share a model.
    return Batch(
        **{name: None if array is None else array[:1] for name, array in vars(batch).items()}
    )


def _finish(device: str) -> None:
    """Waits for a GPU, which otherwise only takes orders."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
