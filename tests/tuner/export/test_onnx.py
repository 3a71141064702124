"""Every network: the graph equals torch at sizes and lengths that were never traced."""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tuner import registry
from tuner.errors import ExportMismatch, InputError
from tuner.export.contents import Signature
from tuner.export.exact import TOLERANCE
from tuner.export.formats._base import Runner
from tuner.export.integrity import check_graph
from tuner.export.model import signature_of
from tuner.export.onnx import to_onnx
from tuner.export.session import open_session, run_graph
from tuner.export.verify import untraced_batches, verify
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape

SIGNATURE = Signature(inputs=3, outputs=4)


def running(graph: Path) -> Runner:
    return run_graph(graph.read_bytes(), 1)


def network(**options: object) -> nn.Module:
    config = RecurrentConfig.model_validate({"hidden_size": 5} | options)
    module = build(config, InitializationConfig(), Dropouts(dropout=0.5), Shape(3, 4), seed=1)
    with torch.no_grad():
        for buffer in module.buffers():
            if buffer.is_floating_point():
                buffer.add_(0.3)
    return module.eval()


@pytest.mark.parametrize("cell", registry.names("cells"))
@pytest.mark.parametrize(
    "options",
    [
        {"pooling": "last"},
        {"layers": 2, "directions": 2, "join": "concat", "pooling": "mean", "norm": "layer"},
        {"layers": 2, "directions": 2, "join": "sum", "pooling": "attention", "norm": "batch"},
        {"directions": 2, "join": "mean", "pooling": "max"},
        {"directions": 2, "join": "sum", "pooling": "last_max_mean"},
        {"directions": 2, "pooling": "dot_attention", "convolution": 3},
        {"pooling": "multihead_attention", "initial_state": "learned"},
        {"layers": 2, "residual": True, "attention_layer": True},
    ],
    ids=lambda o: "-".join(map(str, o.values())),
)
def test_the_graph_equals_the_network(
    cell: str, options: dict[str, object], tmp_path: Path
) -> None:
    module = network(cell=cell, **options)
    to_onnx(module, SIGNATURE, tmp_path / "model.onnx")
    batches = untraced_batches(SIGNATURE)
    assert {len(lengths) for _, lengths in batches} >= {1, 3, 7}, "other batch sizes"
    assert any((lengths < x.shape[1]).any() for x, lengths in batches), "padded ones"
    assert verify(module, SIGNATURE, running(tmp_path / "model.onnx"), batches) <= TOLERANCE


TOKENS = Shape(0, 4, vocabulary=9, per_step=True)


@pytest.mark.parametrize("cell", registry.names("cells"))
@pytest.mark.parametrize(
    ("shape", "options"),
    [
        (Shape(0, 4, vocabulary=9), {"directions": 2, "pooling": "attention"}),
        (Shape(0, 4, vocabulary=9, characters=7, per_step=True), {"directions": 2, "layers": 2}),
        (replace(TOKENS, crf=True), {"directions": 2}),
        (replace(TOKENS, carries=True), {"layers": 2}),
        (Shape(3, 4, per_step=True, carries=True), {"norm": "layer"}),
    ],
    ids=["tokens", "characters", "tags", "stream", "frames"],
)
def test_the_graph_equals_the_network_whatever_it_reads_and_gives(
    cell: str, shape: Shape, options: dict[str, object], tmp_path: Path
) -> None:
    config = RecurrentConfig.model_validate({"hidden_size": 12, "cell": cell} | options)
    module = build(config, InitializationConfig(), Dropouts(), shape, seed=1).eval()
    ids = 1 + 3 * bool(shape.characters)
    kind = torch.int64 if shape.vocabulary else torch.float32
    x = torch.ones(2, 3, ids if shape.vocabulary else 3, dtype=kind)
    signature = signature_of(module, x, shape)
    assert signature.transitions == shape.crf and bool(signature.states) == shape.carries

    suspects = to_onnx(module, signature, tmp_path / "model.onnx")

    batches = untraced_batches(signature)
    graph = tmp_path / "model.onnx"
    assert verify(module, signature, running(graph), batches, suspects) <= TOLERANCE
    assert not check_graph(graph, graph.read_bytes(), signature)


def test_padding_may_hold_anything(tmp_path: Path) -> None:
    module = network(directions=2, pooling="attention")
    to_onnx(module, SIGNATURE, tmp_path / "model.onnx")
    session = open_session((tmp_path / "model.onnx").read_bytes())
    x_BTF = np.random.default_rng(0).normal(size=(2, 6, 3)).astype(np.float32)
    lengths_B = np.array([6, 2])
    (clean,) = session.run(None, {"x": x_BTF, "lengths": lengths_B})
    x_BTF[1, 2:] = 1e9
    (dirty,) = session.run(None, {"x": x_BTF, "lengths": lengths_B})
    np.testing.assert_array_equal(clean, dirty)


class FrozenLength(nn.Module):
    """Makes the number of steps a Python number."""

    def forward(self, x_BTF: torch.Tensor, lengths_B: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            steps = float(x_BTF.shape[1])
        return x_BTF.sum(1) * steps + 0 * lengths_B[:, None]


class FrozenBatch(nn.Module):
    """Makes the batch size one, so that a smaller batch is read beyond its end."""

    def forward(self, x_BTF: torch.Tensor, lengths_B: torch.Tensor) -> torch.Tensor:
        return x_BTF[torch.arange(len(lengths_B)), lengths_B - 1]


@pytest.mark.parametrize(
    ("module", "got", "line"),
    [
        (FrozenLength(), "difference", "Converting a tensor to a Python float"),
        (FrozenBatch(), "the error 'indices element out of", "Using len to get tensor shape"),
    ],
)
def test_a_graph_that_freezes_a_size_is_a_mismatch(
    tmp_path: Path, module: nn.Module, got: str, line: str
) -> None:
    suspects = to_onnx(module.eval(), SIGNATURE, tmp_path / "model.onnx")
    with pytest.raises(ExportMismatch, match="freezes") as raised:
        graph = running(tmp_path / "model.onnx")
        verify(module, SIGNATURE, graph, untraced_batches(SIGNATURE), suspects)
    assert got in str(raised.value)
    assert f"test_onnx.py line {FIRST_LINE[type(module)]}: {line}" in str(raised.value)


FIRST_LINE = {
    kind: inspect.getsourcelines(kind)[1] + offset
    for kind, offset in ((FrozenLength, 5), (FrozenBatch, 4))
}


class Unsupported(nn.Module):
    def forward(self, x_BTF: torch.Tensor, lengths_B: torch.Tensor) -> torch.Tensor:
        return torch.special.bessel_j0(x_BTF).sum(1) + 0 * lengths_B[:, None]


def test_an_operation_that_onnx_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="bessel_j0") as raised:
        to_onnx(Unsupported().eval(), SIGNATURE, tmp_path / "model.onnx")
    assert raised.value.mistakes[0].code == "export/unsupported"
