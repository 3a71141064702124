"""What trials start from is checked before anything runs, and kept beside the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import pytest
from safetensors.torch import load_file

from tuner import sources
from tuner.check import check
from tuner.config import TrialConfig
from tuner.errors import BundleError, CommandError, SpecError
from tuner.export.contents import WEIGHTS, About, Signature, TaskUsed
from tuner.export.write import write
from tuner.home import Home
from tuner.models.build import build
from tuner.models.shape import Dropouts, Shape
from tuner.spec import SweepSpec
from tuner.spec_reader import load
from tuner.training.transfer import place


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rows and a bundle of a model of 8 units."""
    found = tmp_path_factory.mktemp("spec")
    made.sequences_csv(found / "rows.csv")
    config = TrialConfig.from_values({"model/hidden_size": 8}, made.CLASSIFICATION)
    module = build(config.model, config.initialization, Dropouts(), Shape(2, 3), seed=5)
    about = About(
        name="made",
        trial=0,
        task=TaskUsed(name="classification"),
        parameters={},
        signature=Signature(inputs=2, outputs=3),
        preprocessing={},
    )
    write(found / "model", module.eval(), about)
    return found


def spec_of(folder: Path, source: str, hidden_size: int = 8) -> Path:
    path = folder / f"{source.replace('/', '-')}-{hidden_size}.yaml"
    path.write_text(
        f"""
        name: after
        task: classification
        data: {{train: rows.csv, id: id, time: step, target: label}}
        override:
          model/hidden_size: {hidden_size}
          transfer/source: ["", "{source}"]
        """
    )
    return path


def kept(folder: Path, spec: SweepSpec, home: Path, to: Path) -> dict[str, Any]:
    sources.keep(spec, Home(home), to)
    return load_file(place(to, "model"))


def test_a_bundle_is_copied_beside_the_data(folder: Path, tmp_path: Path) -> None:
    found = kept(folder, load(spec_of(folder, "model")), tmp_path, tmp_path)
    ours = load_file(folder / "model" / WEIGHTS)
    assert found.keys() == ours.keys() and all((found[name] == ours[name]).all() for name in ours)
    assert len(list((tmp_path / "transfer").glob("*.safetensors"))) == 1, (
        "from scratch needs no file"
    )


def test_a_missing_or_altered_bundle_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="bundle/missing"):
        sources.keep(load(spec_of(folder, "absent")), Home(tmp_path), tmp_path)
    weights = folder / "model" / WEIGHTS
    before = weights.read_bytes()
    weights.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    try:
        with pytest.raises(BundleError, match="bundle/altered"):
            sources.keep(load(spec_of(folder, "model")), Home(tmp_path), tmp_path)
    finally:
        weights.write_bytes(before)


def test_a_sweep_that_is_not_there_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="sweep/unknown"):
        sources.keep(load(spec_of(folder, "sweep:nothing#3")), Home(tmp_path), tmp_path)


def test_the_dry_run_starts_from_it_and_tells_what_does_not_match(folder: Path) -> None:
    assert "after: classification" in check(spec_of(folder, "model"))
    wider = spec_of(folder, "model", 12)
    first = ["transfer/source=model"]
    assert "after: classification" in check(spec_of(folder, "model"), settings=first)
    with pytest.raises(SpecError, match=r"weight_ih_l0 \[32, 2\] there and \[48, 2\] here"):
        check(wider, settings=first)
