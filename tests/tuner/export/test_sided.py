"""A second input leaves with its graph: equal at any size, asked for, or refused by name."""

from __future__ import annotations

from pathlib import Path

import made
import numpy as np
import pytest
import torch
from torch import nn

from tuner.errors import DataError
from tuner.export.bundle import Bundle
from tuner.export.contents import About, TaskUsed
from tuner.export.formats import keras
from tuner.export.model import signature_of
from tuner.export.pruning import prune
from tuner.export.streaming import refusals
from tuner.export.write import write
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape, Side
from tuner.training.rank import Rank

SIDE = Side(numbers=2, picture=(6, 5, 3))
PER_STEP = Shape(0, 4, vocabulary=9, per_step=True, side=SIDE)


def network(shape: Shape, **options: object) -> nn.Module:
    small = {"hidden_size": 5, "directions": 2, "picture_layers": 2, "convolution_filters": 3}
    config = RecurrentConfig.model_validate(small | options)
    return build(config, InitializationConfig(), Dropouts(dropout=0.5), shape, seed=1).eval()


def exported(module: nn.Module, shape: Shape, folder: Path) -> Bundle:
    """Written, and compared at sizes and lengths that were never traced."""
    kind = torch.int64 if shape.vocabulary else torch.float32
    x = torch.zeros(1, 2, shape.inputs or 1, dtype=kind)
    about = About(
        name="made",
        trial=0,
        task=TaskUsed(name="classification"),
        parameters={},
        signature=signature_of(module, x, shape),
        preprocessing={},
    )
    return write(folder / "model", module, about)


@pytest.mark.parametrize(
    ("fusion", "shape"),
    [
        ("late", Shape(3, 4, side=SIDE)),
        ("early", Shape(3, 4, side=Side(picture=(4, 4, 1)))),
        ("gated", Shape(3, 4, side=Side(numbers=1))),
        ("late", PER_STEP),
        ("gated", PER_STEP),
    ],
)
def test_the_graph_equals_the_network(fusion: str, shape: Shape, tmp_path: Path) -> None:
    assert shape.side is not None
    module = network(shape, fusion=fusion, initial_state="conditioned")
    bundle = exported(module, shape, tmp_path)
    assert bundle.contents.about.signature.side == shape.side.size
    chance = np.random.default_rng(0)
    side_BX = chance.normal(size=(4, shape.side.size)).astype(np.float32)
    x = chance.integers(1, 9, (4, 6, 1)) if shape.vocabulary else chance.normal(size=(4, 6, 3))
    x = x if shape.vocabulary else x.astype(np.float32)
    lengths_B = np.array([6, 1, 4, 2])
    found = bundle.run(x, lengths_B, side_BX)
    with torch.no_grad():
        given = map(torch.from_numpy, (x, lengths_B))
        expected = module(*given, side_BX=torch.from_numpy(side_BX)).numpy()
    if shape.per_step:
        valid_BT = np.arange(6) < lengths_B[:, None]
        found, expected = found[valid_BT], expected[valid_BT]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    card = (bundle.folder / "card.md").read_text()
    assert f"`side` [batch, {shape.side.size}]" in card and "run(x, lengths, side)" in card


def test_a_second_input_is_asked_for_in_its_size(tmp_path: Path) -> None:
    shape = Shape(3, 4, side=SIDE)
    bundle = exported(network(shape), shape, tmp_path)
    x, lengths_B = np.zeros((2, 3, 3), np.float32), np.array([3, 1])
    for wrong in (None, np.zeros((2, 4), np.float32), np.zeros((1, SIDE.size), np.float32)):
        with pytest.raises(DataError, match=rf"side must be \[B, {SIDE.size}\]"):
            bundle.run(x, lengths_B, wrong)
    plain = Shape(3, 4)
    alone = exported(network(plain), plain, tmp_path / "alone")
    with pytest.raises(DataError, match=r"side must be \[B, 0\]"):
        alone.run(x, lengths_B, np.zeros((2, 4), np.float32))


def test_keras_and_pieces_refuse_it() -> None:
    shape = Shape(3, 4, side=SIDE)
    module = network(shape, directions=1)
    signature = signature_of(module, torch.zeros(1, 2, 3), shape)
    found = [m for m in keras.refusals(module, signature) if m.code == "export/unsupported"]
    (mistake,) = [*found, *refusals(module, None, window=False, where="trial 3")][1:]
    assert "sequence alone" in mistake.rule and "second input" in mistake.got
    (lacking,) = found
    assert "second input" in lacking.got
    for each in (lacking, mistake):
        assert each.rule and each.where and each.got and each.fix


def test_it_is_pruned_with_its_network(tmp_path: Path) -> None:
    values = {"model/fusion": "gated", "model/hidden_size": 6, "training/epochs": 1}
    data = made.of_task("fused", tmp_path)
    job = made.job_of("fused", data, tmp_path / "trial", values)
    rank = Rank("cpu", 1)
    rank.start(job)
    rank.epoch()
    assert rank._trial is not None
    (fit,) = rank._trial.fits
    prune(job, fit.config, fit.task, fit.store, fit.module, 0.5)
    weight = fit.module.get_submodule("side.fusion.gate").weight
    assert isinstance(weight, torch.Tensor)
    assert int((weight == 0).sum()) >= weight.numel() // 2
