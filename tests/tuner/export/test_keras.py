"""A network in Keras equals torch's at valid steps, or what Keras lacks is named."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import bundles
import numpy as np
import pytest
import torch
from torch import nn

from tuner import registry
from tuner.export.bundle import Bundle
from tuner.export.contents import Signature
from tuner.export.exact import TOLERANCE
from tuner.export.formats import keras as format
from tuner.export.formats._base import Trained
from tuner.export.keras_network import lacking
from tuner.export.model import signature_of
from tuner.export.verify import untraced_batches, verify
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape

needs_tensorflow = pytest.mark.skipif(
    find_spec("tensorflow") is None, reason="TensorFlow is not installed: the extra `keras`"
)

NUMBERS = Shape(3, 4)
WORDS = Shape(0, 4, vocabulary=9, per_step=True)


def network(shape: Shape = NUMBERS, **options: object) -> nn.Module:
    config = RecurrentConfig.model_validate({"hidden_size": 6} | options)
    module = build(config, InitializationConfig(), Dropouts(), shape, seed=1)
    chance = torch.Generator().manual_seed(2)
    with torch.no_grad():
        # Nothing at its initial zero or one, so that no part is without effect.
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.add_(0.2 * torch.rand(tensor.shape, generator=chance))
        if shape.vocabulary:
            module.inputs.embedding.weight[0] = 0  # type: ignore[union-attr, operator, index]
    return module.eval()


def signature(module: nn.Module, shape: Shape) -> Signature:
    ids = 1 + 3 * bool(shape.characters)
    kind = torch.int64 if shape.vocabulary else torch.float32
    x = torch.ones(2, 3, ids if shape.vocabulary else shape.inputs, dtype=kind)
    return signature_of(module, x, shape)


CASES: list[tuple[Shape, dict[str, Any]]] = [
    *((NUMBERS, {"cell": cell}) for cell in ("lstm", "gru", "rnn", "rnn_relu")),
    *(
        (NUMBERS, {"cell": cell, "directions": 2, "layers": 2, "initial_state": "learned"})
        for cell in ("lstm", "gru", "rnn")
    ),
    *(
        (NUMBERS, {"directions": 2, "pooling": pooling, "norm": "layer"})
        for pooling in registry.names("poolings")
    ),
    (NUMBERS, {"directions": 2, "layers": 2, "join": "sum", "norm": "batch", "residual": True}),
    (NUMBERS, {"directions": 2, "join": "mean", "convolution": 3, "attention_layer": True}),
    (WORDS, {"directions": 2}),
    (replace(WORDS, characters=7), {"directions": 2, "cell": "gru"}),
    (replace(WORDS, per_step=False), {"pooling": "attention"}),
]


@needs_tensorflow
@pytest.mark.parametrize(
    ("shape", "options"),
    CASES,
    ids=lambda o: "-".join(map(str, o.values())) if isinstance(o, dict) else "",
)
def test_the_model_equals_the_network(
    shape: Shape, options: dict[str, Any], tmp_path: Path
) -> None:
    module = network(shape, **options)
    told = signature(module, shape)
    assert format.refusals(module, told) == []
    path = tmp_path / format.FILE
    format.write(path, Trained(module=module, signature=told, graph=tmp_path / "none"))
    content = path.read_bytes()
    assert format.check(path, content, told) == []
    run = format.runner(content, told, 1)
    assert verify(module, told, run, untraced_batches(told)) <= TOLERANCE


@needs_tensorflow
@pytest.mark.parametrize("name", ["classification", "regression", "tagging", "forecasting"])
def test_a_bundle_of_every_task_holds_one_that_answers_as_its_graph(
    name: str, tmp_path: Path
) -> None:
    fit = bundles.trained(name, tmp_path, **{"model/directions": 2})
    bundles.exported(name, tmp_path, fit, ["keras"])
    graph, model = (Bundle.open(tmp_path / "model", format) for format in ("onnx", "keras"))
    batch = fit.task.batch(fit.store, fit.task.rows(fit.store, "validation", None))
    answers = [bundle.run(batch.inputs, batch.lengths) for bundle in (graph, model)]
    if fit.task.per_step:
        valid_BT = np.arange(batch.inputs.shape[1]) < batch.lengths[:, None]
        answers = [answer[valid_BT] for answer in answers]
    np.testing.assert_allclose(*answers, rtol=1e-5, atol=1e-5)


@needs_tensorflow
def test_tensorflow_loads_it_without_this_package(tmp_path: Path) -> None:
    module = network(directions=2)
    told = signature(module, NUMBERS)
    path = tmp_path / format.FILE
    format.write(path, Trained(module=module, signature=told, graph=tmp_path / "none"))
    code = (
        "import sys, numpy as np, tensorflow as tf; "
        f"model = tf.keras.models.load_model({str(path)!r}); "
        "x = np.full((2, 4, 3), 0.5, np.float32); "
        "y = model.predict({'x': x, 'lengths': np.array([4, 2])}, verbose=0); "
        "assert 'tuner' not in sys.modules and 'torch' not in sys.modules; print(y[1, 0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    with torch.no_grad():
        expected = module(torch.full((2, 4, 3), 0.5), torch.tensor([4, 2]))[1, 0].item()
    assert float(done.stdout.split()[-1]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("module", "shape", "named"),
    [
        ({"cell": "layer_norm_lstm"}, NUMBERS, ["the cell LayerNormLSTM"]),
        ({"crf": True}, WORDS, ["`model/crf`"]),
        ({}, Shape(36, 4, frame=(3, 4, 3)), ["`data/frames`"]),
        (
            {"tied": True},
            replace(WORDS, carries=True, outputs=9),
            ["states that go on from batch to batch", "`model/tied`"],
        ),
        (nn.Linear(3, 4), NUMBERS, ["Linear: only networks that answer at once"]),
    ],
)
def test_what_keras_lacks_is_named(module: Any, shape: Shape, named: list[str]) -> None:
    if isinstance(module, dict):
        module = network(shape, **module)
        told = signature(module, shape)
    else:
        told = Signature(inputs=3, outputs=4)
    found = lacking(module, told)
    assert len(found) == len(named)
    assert all(text.startswith(start) for text, start in zip(found, named, strict=True))
    codes = {mistake.code for mistake in format.refusals(module, told)}
    assert "export/unsupported" in codes


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format, "find_spec", lambda name: None)
    module = network()
    (mistake,) = format.refusals(module, signature(module, NUMBERS))
    assert mistake.code == "export/extra" and "pip install 'rnn-tuner[keras]'" in mistake.fix


def archive(config: Any, *, names: tuple[str, ...] = (), packed: bool = False) -> bytes:
    file = io.BytesIO()
    how = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", how) as found:
        found.writestr("metadata.json", "{}")
        found.writestr("config.json", json.dumps(config))
        found.writestr("model.weights.h5", b"")
        for name in names:
            found.writestr(name, b"x")
    return file.getvalue()


def layer(**changes: Any) -> dict[str, Any]:
    inner = {"module": "keras.layers", "class_name": "Dense", "registered_name": None} | changes
    named = {"class_name": "Functional", "registered_name": "Functional"}
    return {"module": "keras.src.models.functional", **named, "config": {"layers": [inner]}}


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"no archive", "not a zip file"),
        (archive(layer(), names=("../evil.py",)), "../evil.py"),
        (archive(layer(), packed=True), "compressed members"),
        (archive(layer(class_name="Lambda")), "keras.layers.Lambda"),
        (archive(layer(module="os", class_name="system")), "os.system"),
        (
            archive(layer(module="keras.src.utils", class_name="get_file")),
            "keras.src.utils.get_file",
        ),
        (archive(layer(registered_name="evil>Dense")), "keras.layers.Dense"),
        (archive(layer(config={"x": [{"module": None, "class_name": "Evil"}]})), "None.Evil"),
        (archive({"class_name": "Sequential", "module": "keras"}), "no functional model"),
        (archive([]), "no functional model"),
    ],
)
def test_a_file_that_could_run_code_is_refused(content: bytes, got: str) -> None:
    (mistake,) = format.check(Path("model.keras"), content, Signature(inputs=3, outputs=4))
    assert got in mistake.got


def test_the_smallest_honest_file_passes() -> None:
    honest = archive(layer())
    assert format.check(Path("model.keras"), honest, Signature(inputs=3, outputs=4)) == []
