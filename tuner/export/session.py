"""A graph in onnxruntime, on as many CPU threads as asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def open_session(graph: bytes, threads: int = 1) -> InferenceSession:
    """Loads a graph from memory: bytes have no folder that external data could be read from."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def run_graph(graph: bytes, threads: int) -> Callable[[Mapping[str, np.ndarray]], list[np.ndarray]]:
    """What maps a graph's named inputs to all its outputs, in their order."""
    session = open_session(graph, threads)

    def run(arrays: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        found: list[np.ndarray] = session.run(None, dict(arrays))
        return found

    return run
