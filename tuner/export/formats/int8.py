"""ONNX with weights of 8 bits, quantised by onnxruntime, which rounds activations as they come.

Its operators are onnxruntime's own, so that no other runtime reads the file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.errors import Mistake
from tuner.export.formats._base import Runner, Trained
from tuner.export.integrity import check_graph
from tuner.export.session import run_graph

if TYPE_CHECKING:
    from torch import nn

    from tuner.export.contents import Signature

FILE = "model.int8.onnx"
EXACT = False

QUANTISED = ("Gather", "LSTM", "MatMul")
"""Of the operators in our graphs, those that onnxruntime 1.32 has with 8 bits; Conv it has too,
but none with more than one output step."""
KEPT = {"GRU": "a GRU", "RNN": "an RNN", "Loop": "a layer-normalised LSTM"}


def refusals(module: nn.Module, signature: Signature) -> list[Mistake]:
    """None but of a decoder: what cannot be quantised stays as it is, and is told."""
    if signature.decoder is None:
        return []
    return [
        Mistake(
            code="export/unsupported",
            rule="`--format int8` must be given a network of one graph",
            where=f"the forward pass of {type(module).__name__}",
            got="one that reads and one that decodes",
            fix="Leave the format out.",
        )
    ]


def write(path: Path, trained: Trained) -> list[str]:
    """Quantises the graph; tells which layers onnxruntime cannot."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with _quiet():
        quantize_dynamic(
            trained.graph,
            path,
            op_types_to_quantize=list(QUANTISED),
            weight_type=QuantType.QInt8,
        )
    left = {node.op_type for node in onnx.load(str(path)).graph.node} & set(KEPT)
    notes = [
        f"the layers of {KEPT[kind]} stay float32, as onnxruntime quantises those of an LSTM only; "
        "embeddings and products of matrices are int8"
        for kind in sorted(left)
    ]
    sizes = [file.stat().st_size for file in (path, trained.graph)]
    if sizes[0] >= sizes[1]:
        notes.append("the file is no smaller than the graph")
    return notes


def check(path: Path, content: bytes, signature: Signature) -> list[Mistake]:
    """As of the graph itself."""
    return check_graph(path, content, signature)


def runner(content: bytes, signature: Signature, threads: int) -> Runner:
    """A session of onnxruntime."""
    return run_graph(content, threads)


@contextmanager
def _quiet() -> Iterator[None]:
    """It advises a step before it through the root logger, which these graphs do not need."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
