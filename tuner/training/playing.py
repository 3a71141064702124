"""A trained network, or an export of one, as a policy: one step at a time, its state going on."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import nn

from tuner.models.network import Network
from tuner.models.streaming import Stream
from tuner.tasks._base import Policy


def policy(module: nn.Module) -> Policy:
    """Of a network that only looks back: a copy of it, on the CPU, as it scores."""
    network = copy.deepcopy(module).cpu().eval()
    assert isinstance(network, Network)
    streams: list[Stream] = []

    def step(x_B1I: np.ndarray, lengths_B: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        x = torch.from_numpy(np.ascontiguousarray(x_B1I))
        if not streams:
            streams.append(Stream(network, x).eval())
        (stream,) = streams
        if state is None:
            start = [torch.tensor(begin_U) for begin_U in stream.begin]
            state = [part_U.expand(1, len(x), -1).contiguous() for part_U in start]
        with torch.no_grad():
            y_B1O, after = stream(x, torch.from_numpy(lengths_B), state)
        return y_B1O.numpy(), after

    return step
