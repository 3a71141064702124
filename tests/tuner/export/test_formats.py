"""What stands beside the graph: asked for by name, vouched for, and run like the graph."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from tuner import registry
from tuner.errors import BundleError, CommandError
from tuner.export.bundle import Bundle
from tuner.export.contents import CARD, CONTENTS, MANIFEST, About, Signature, TaskUsed
from tuner.export.formats._base import chosen, files, names
from tuner.export.integrity import sha256
from tuner.export.write import write
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape


def exported(folder: Path, *formats: str, **options: object) -> Bundle:
    config = RecurrentConfig.model_validate({"hidden_size": 16, "directions": 2} | options)
    module = build(config, InitializationConfig(), Dropouts(), Shape(3, 2), seed=1).eval()
    about = About(
        name="made",
        trial=0,
        task=TaskUsed(name="classification"),
        parameters={},
        signature=Signature(inputs=3, outputs=2),
        preprocessing={},
    )
    return write(folder / "model", module, about, formats=formats)


def test_formats_are_chosen_by_name_and_onnx_is_always_there() -> None:
    assert chosen([]) == chosen(["onnx"]) == []
    assert chosen(["int8", "onnx", "int8"]) == ["int8"]
    assert len(set(files())) == len(names()), "each has a file of its own"


def test_all_unknown_formats_are_told_at_once() -> None:
    with pytest.raises(CommandError) as raised:
        chosen(["int9", "onnx", "caffe"])
    first, second = raised.value.mistakes
    assert first.code == "export/format" and "`int8`" in first.fix
    assert second.got == "'caffe'" and "onnx, " in second.rule


@pytest.mark.parametrize("cell", registry.names("cells"))
def test_int8_is_near_the_graph_and_says_what_it_left(cell: str, tmp_path: Path) -> None:
    folder = exported(tmp_path, "int8", cell=cell).folder
    exact, rounded = Bundle.open(folder), Bundle.open(folder, "int8")
    x = np.random.default_rng(0).normal(size=(4, 6, 3)).astype(np.float32)
    lengths = np.array([6, 2, 1, 4])
    difference = np.abs(exact.run(x, lengths) - rounded.run(x, lengths)).max()
    assert 0 < difference < 0.05
    (told,) = [exact.contents.formats["int8"]]
    graph = onnx.load(folder / told.file).graph
    assert ("DynamicQuantizeLSTM" in {node.op_type for node in graph.node}) == (cell == "lstm")
    assert bool(told.notes) == (cell != "lstm")
    smaller = told.bytes < exact.contents.formats["onnx"].bytes
    assert smaller != any("no smaller" in note for note in told.notes)
    assert all(note in (folder / CARD).read_text() for note in told.notes)


def test_a_format_that_is_not_there_is_refused_with_a_way_out(tmp_path: Path) -> None:
    folder = exported(tmp_path).folder
    with pytest.raises(BundleError, match="--format int8") as raised:
        Bundle.open(folder, "int8")
    assert raised.value.mistakes[0].code == "bundle/format"
    with pytest.raises(BundleError, match="Did you mean `onnx`?"):
        Bundle.open(folder, "onx")
    with pytest.raises(BundleError, match="Take one of these"):
        Bundle.open(folder, "../model.onnx")


def test_a_format_without_its_file_or_its_place_is_refused(tmp_path: Path) -> None:
    folder = exported(tmp_path, "int8").folder
    contents = json.loads((folder / CONTENTS).read_text())
    contents["formats"] = {}
    (folder / CONTENTS).write_text(json.dumps(contents))
    manifest = json.loads((folder / MANIFEST).read_text())
    content = (folder / CONTENTS).read_bytes()
    manifest["files"][CONTENTS] = {"sha256": sha256(content), "bytes": len(content)}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="formats in bundle.json"):
        Bundle.open(folder)


def test_a_bundle_with_formats_is_replaced_whole(tmp_path: Path) -> None:
    folder = exported(tmp_path, "int8").folder
    exported(tmp_path)
    assert "model.int8.onnx" not in {path.name for path in folder.iterdir()}
    assert list(Bundle.open(folder).contents.formats) == ["onnx"]
