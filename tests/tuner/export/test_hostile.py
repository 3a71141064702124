"""Bundles by authors of malice, who seal what they like: refused, and nothing of theirs runs."""

from __future__ import annotations

import json
import os
import pickle
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bundles
import onnx
import pytest
from onnx import TensorProto, helper

from tuner.errors import BundleError, InputError
from tuner.export import protobuf
from tuner.export.bundle import Bundle
from tuner.export.contents import CONTENTS, GRAPH, MANIFEST, WEIGHTS
from tuner.predictor import Predictor


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `model` and `rows.csv`."""
    folder = tmp_path_factory.mktemp("honest")
    bundles.exported("classification", folder, bundles.trained("classification", folder))
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original / "model", tmp_path / "model"))


def test_the_messages_are_those_of_onnx() -> None:
    seen: dict[str, dict[int, str]] = {}
    waiting = [onnx.ModelProto.DESCRIPTOR]
    while waiting:
        kind = waiting.pop()
        name = kind.full_name.removeprefix("onnx.")
        if name in seen:
            continue
        seen[name] = {}
        for field in kind.fields:
            inner = field.message_type
            seen[name][field.number] = inner.full_name.removeprefix("onnx.") if inner else ""
            waiting += [inner] if inner else []
    assert protobuf.MESSAGES == seen


def outside(name: str = "w") -> TensorProto:
    tensor = TensorProto(name=name, data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../secret"
    return tensor


def node_with(**attribute: Any) -> onnx.NodeProto:
    node = helper.make_node("Constant", [], ["c"])
    node.attribute.append(onnx.AttributeProto(name="value", **attribute))
    return node


def sparse() -> onnx.SparseTensorProto:
    return onnx.SparseTensorProto(values=outside(), dims=[1])


PLACES: dict[str, Callable[[onnx.ModelProto], object]] = {
    "initializer": lambda m: m.graph.initializer.append(outside()),
    "sparse initializer": lambda m: m.graph.sparse_initializer.append(sparse()),
    "attribute": lambda m: m.graph.node.append(node_with(t=outside())),
    "attributes": lambda m: m.graph.node.append(node_with(tensors=[outside()])),
    "sparse attribute": lambda m: m.graph.node.append(node_with(sparse_tensor=sparse())),
    "subgraph": lambda m: m.graph.node.append(
        node_with(g=onnx.GraphProto(name="g", initializer=[outside()]))
    ),
    "function": lambda m: m.functions.append(onnx.FunctionProto(node=[node_with(t=outside())])),
    "training": lambda m: m.training_info.append(
        onnx.TrainingInfoProto(algorithm=onnx.GraphProto(initializer=[outside()]))
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_external_data_is_found_wherever_it_stands(folder: Path, place: str) -> None:
    model = onnx.load(folder / GRAPH)
    PLACES[place](model)
    (folder / GRAPH).write_bytes(model.SerializeToString())
    bundles.reseal(folder)
    with pytest.raises(BundleError, match=r"external data at '\.\./secret'"):
        Bundle.open(folder)


def nested(depth: int) -> bytes:
    """A graph in an attribute of a node in a graph, and so on."""

    def field(number: int, content: bytes) -> bytes:
        size, found = len(content), bytes([number << 3 | 2])
        while size > 127:
            found, size = found + bytes([size & 127 | 128]), size >> 7
        return found + bytes([size]) + content

    content = b""
    for _ in range(depth):
        content = field(1, field(5, field(6, content)))
    return field(7, content)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (b"\x80\x80\x80", "a number that does not end"),
        (b"\x3a\x7f\x00", "a field that ends beyond its message"),
        (b"\x38\x01", "a number in place of a GraphProto"),
        (b"\xfa\x7f\x00", "a field 2047 in a ModelProto"),
        (b"\x3b\x3c", "a wire type 3"),
        (nested(200), "messages nested more than 64 deep"),
        (pickle.dumps({"a": 1}), "ModelProto"),
        (b"", "no inputs"),
    ],
    ids=["varint", "short", "number", "unknown", "group", "deep", "pickle", "empty"],
)
def test_a_graph_that_is_none_is_refused(folder: Path, content: bytes, got: str) -> None:
    (folder / GRAPH).write_bytes(content)
    bundles.reseal(folder)
    with pytest.raises(BundleError, match=got):
        Bundle.open(folder)


def test_a_graph_that_does_not_run_is_refused(folder: Path, original: Path) -> None:
    model = onnx.load(folder / GRAPH)
    model.graph.node[-1].op_type = "NoSuchOperator"
    (folder / GRAPH).write_bytes(model.SerializeToString())
    bundles.reseal(folder)
    with pytest.raises(BundleError, match="the graph must run"):
        Predictor.open(folder).read([original / "rows.csv"])


class Marker:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", [WEIGHTS, GRAPH, CONTENTS, MANIFEST, "model.pkl"])
def test_no_pickle_is_read(folder: Path, original: Path, tmp_path: Path, name: str) -> None:
    (folder / name).write_bytes(pickle.dumps(Marker(tmp_path / "marker")))
    if name != MANIFEST:
        bundles.reseal(folder)
    try:
        Predictor.open(folder).read([original / "rows.csv"])
    except BundleError:
        assert name != "model.pkl"
    else:
        assert name == "model.pkl", "what the manifest does not list is never opened"
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/../../secret", "model.onnx/x"])
def test_a_manifest_names_no_other_files(folder: Path, name: str) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["files"][name] = manifest["files"].pop(GRAPH)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="the manifest must list"):
        Bundle.open(folder)


@pytest.mark.parametrize("name", [MANIFEST, CONTENTS, GRAPH, WEIGHTS])
def test_a_huge_file_is_refused_before_it_is_read(folder: Path, name: str) -> None:
    os.truncate(folder / name, 1 << 40)
    with pytest.raises(BundleError, match="must not exceed") as raised:
        Bundle.open(folder)
    assert raised.value.mistakes[0].code == "bundle/large"


def header(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = (folder / WEIGHTS).read_bytes()
    size = int.from_bytes(content[:8], "little")
    told = json.loads(content[8 : 8 + size])
    change(told)
    text = json.dumps(told).encode()
    (folder / WEIGHTS).write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told["head.bias"].update(shape=[1 << 62, 4]),
        lambda told: told["head.bias"].update(shape=[-3]),
        lambda told: told["head.bias"].update(data_offsets=[0, 12]),
        lambda told: told["head.bias"].update(data_offsets=[-12, 0]),
        lambda told: told["head.bias"].update(dtype="O"),
        lambda told: told.pop("head.bias"),
        lambda told: told.update(other={"of": "no tensor"}),
        lambda told: told.update(__metadata__={"deep": {"er": "text"}}),
    ],
    ids=["large", "negative", "overlap", "before", "object", "gap", "stray", "metadata"],
)
def test_weights_of_other_shapes_are_refused(
    folder: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    header(folder, change)
    bundles.reseal(folder)
    with pytest.raises(BundleError, match="bundle/altered"):
        Bundle.open(folder)


def retold(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    contents = json.loads((folder / CONTENTS).read_text())
    change(contents["about"])
    (folder / CONTENTS).write_text(json.dumps(contents))
    bundles.reseal(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda about: about["task"].update(name="evil:Task"),
        lambda about: about["preprocessing"]["layout"].update(format="evil:format"),
        lambda about: about["preprocessing"]["layout"].update(text="x", tokens="evil:tokens"),
    ],
    ids=["task", "format", "tokens"],
)
def test_an_import_path_in_a_bundle_is_not_followed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], None]
) -> None:
    (folder.parent / "evil.py").write_text("raise SystemExit('it ran')")
    monkeypatch.syspath_prepend(folder.parent)
    retold(folder, change)
    with pytest.raises(BundleError, match="bundle/part"):
        Predictor.open(folder)


def test_labels_of_another_number_are_refused(folder: Path) -> None:
    retold(folder, lambda about: about["preprocessing"]["facts"].update(labels=["a"]))
    with pytest.raises(BundleError, match="the task must read and give what the graph does"):
        Predictor.open(folder)


VALUES: list[Any] = [None, -1, 0, 1e30, "", "x", [], [0], {}, {"x": []}, True, 1 << 70]


def mutated(data: Any, chance: random.Random) -> None:
    """Changes one value somewhere within."""
    keys = list(data) if isinstance(data, dict) else range(len(data))
    key = chance.choice(list(keys))
    inner = data[key]
    if isinstance(inner, dict | list) and inner and chance.random() < 0.8:
        mutated(inner, chance)
    elif isinstance(data, dict) and chance.random() < 0.2:
        del data[key]
    else:
        data[key] = chance.choice(VALUES)


def test_whatever_the_contents_say_there_is_no_traceback(folder: Path, original: Path) -> None:
    told = (folder / CONTENTS).read_text()
    refused = 0
    for seed in range(300):
        contents = json.loads(told)
        mutated(contents, random.Random(seed))
        (folder / CONTENTS).write_text(json.dumps(contents))
        bundles.reseal(folder)
        try:
            Predictor.open(folder).read([original / "rows.csv"])
        except InputError:
            refused += 1
    assert refused > 100
