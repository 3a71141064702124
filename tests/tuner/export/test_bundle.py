"""A bundle is believed only if every file is what the exporter wrote."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from bundles import reseal
from torch import nn

from tuner.errors import BundleError, CommandError, DataError, ExportMismatch
from tuner.export.bundle import Bundle
from tuner.export.contents import CARD, CONTENTS, GRAPH, MANIFEST, WEIGHTS, About, Score, TaskUsed
from tuner.export.write import write
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape


def network() -> nn.Module:
    config = RecurrentConfig(hidden_size=4, directions=2)
    return build(config, InitializationConfig(), Dropouts(), Shape(3, 2), seed=1).eval()


def about(**changes: object) -> About:
    given: dict[str, object] = {
        "name": "made",
        "trial": 7,
        "task": TaskUsed(name="classification"),
        "parameters": {"model/hidden_size": 4},
        "signature": {"inputs": 3, "outputs": 2},
        "preprocessing": {"labels": ["a", "b"]},
        "scores": (Score(metric="accuracy", validation=0.9, test=0.8, baseline=0.5),),
    }
    return About.model_validate(given | changes)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("bundle") / "model", network(), about()).folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "model"))


def test_gives_the_networks_outputs_without_torch(folder: Path) -> None:
    x_BTF = np.random.default_rng(0).normal(size=(5, 8, 3)).astype(np.float32)
    lengths_B = np.array([8, 1, 3, 5, 2])
    np.save(folder.parent / "x.npy", x_BTF)
    code = (
        "import sys, numpy as np; from tuner.export.bundle import Bundle; "
        f"y = Bundle.open({str(folder)!r}).run(np.load({str(folder.parent / 'x.npy')!r}), "
        "np.array([8, 1, 3, 5, 2])); "
        f"np.save({str(folder.parent / 'y.npy')!r}, y); "
        "assert not {'torch', 'ray', 'mlflow', 'optuna'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with torch.no_grad():
        expected = network()(torch.from_numpy(x_BTF), torch.from_numpy(lengths_B)).numpy()
    np.testing.assert_allclose(np.load(folder.parent / "y.npy"), expected, atol=1e-5)


def test_the_card_tells_scores_and_escapes_names(tmp_path: Path) -> None:
    bundle = write(tmp_path / "m", network(), about(name="<script>|x"))
    card = (bundle.folder / CARD).read_text()
    assert "0.9" in card and "0.8" in card and "0.5" in card
    assert "<script>" not in card


@pytest.mark.parametrize("name", [WEIGHTS, GRAPH, CONTENTS, CARD, MANIFEST])
def test_a_flipped_byte_is_found_in_every_file(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError):
        Bundle.open(folder)


def external_data(folder: Path, location: str) -> None:
    model = onnx.load(folder / GRAPH)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    (folder / GRAPH).write_bytes(model.SerializeToString())


def huge_header(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes((1 << 40).to_bytes(8, "little") + content[8:])


def overlapping(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    names = [name for name in header if name != "__metadata__"]
    header[names[1]]["data_offsets"] = header[names[0]]["data_offsets"]
    text = json.dumps(header).encode()
    (folder / WEIGHTS).write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])


def other_inputs(folder: Path) -> None:
    contents = json.loads((folder / CONTENTS).read_text())
    contents["about"]["signature"]["inputs"] = 9
    (folder / CONTENTS).write_text(json.dumps(contents))


def symbolic_link(folder: Path) -> None:
    (folder / GRAPH).rename(folder.parent / "elsewhere")
    (folder / GRAPH).symlink_to(folder.parent / "elsewhere")


def hard_link(folder: Path) -> None:
    os.link(folder / GRAPH, folder.parent / "elsewhere")


@pytest.mark.parametrize(
    "attack",
    [
        lambda folder: external_data(folder, "../secret"),
        lambda folder: external_data(folder, "a/../../secret"),
        huge_header,
        overlapping,
        other_inputs,
        symbolic_link,
        hard_link,
    ],
    ids=["external", "external nested", "header", "overlap", "inputs", "symlink", "hardlink"],
)
def test_what_an_author_of_malice_seals_is_still_refused(
    folder: Path, attack: Callable[[Path], None]
) -> None:
    attack(folder)
    reseal(folder)
    with pytest.raises(BundleError):
        Bundle.open(folder)


def test_another_version_is_refused_with_a_way_out(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"version": 99}))
    with pytest.raises(BundleError, match="version must be 1"):
        Bundle.open(folder)


def test_wrong_arrays_are_refused(folder: Path) -> None:
    bundle = Bundle.open(folder)
    x = np.zeros((2, 4, 3), dtype=np.float32)
    for wrong, lengths in ((x[:, :, :2], [4, 4]), (x, [4]), (x, [0, 4]), (x, [5, 4])):
        with pytest.raises(DataError):
            bundle.run(wrong, np.array(lengths))
    assert bundle.run(x[:0], np.zeros(0, dtype=np.int64)).shape == (0, 2)


def test_nothing_foreign_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.txt").write_text("dear")
    with pytest.raises(CommandError, match=r"thesis\.txt"):
        write(tmp_path / "model", network(), about())
    assert (tmp_path / "model" / "thesis.txt").read_text() == "dear"


def test_a_former_bundle_is_replaced_only_by_a_proven_one(folder: Path) -> None:
    before = (folder / CONTENTS).read_bytes()

    def disprove(bundle: Bundle) -> None:
        raise ExportMismatch("another value")

    with pytest.raises(ExportMismatch):
        write(folder, network(), about(trial=8), prove=disprove)
    assert (folder / CONTENTS).read_bytes() == before
    assert sorted(p.name for p in folder.parent.iterdir()) == ["model"]
    write(folder, network(), about(trial=8))
    assert Bundle.open(folder).contents.about.trial == 8
