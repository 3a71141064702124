"""Starting from other weights, and training only some of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tuner.errors import SpecError
from tuner.training import checkpoint
from tuner.training.rank import Rank
from tuner.training.transfer import place
from tuner.training.trial import BEST

SMALL = {"model/layers": 2, "model/norm": "batch"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepared data beside which the weights of another trial lie, as `pretrained`."""
    folder = made.classification(tmp_path_factory.mktemp("data"))
    fit = made.fit(folder, folder.parent / "before", SMALL | {"training/seed": 9})
    fit.epoch(1, [])
    place(folder, "pretrained").parent.mkdir()
    save_file(fit.module.state_dict(), place(folder, "pretrained"))
    return folder


def start(data: Path, folder: Path, **changes: Any) -> dict[str, Tensor]:
    """A trial's weights before its first step."""
    values = SMALL | {path.replace("__", "/"): value for path, value in changes.items()}
    state = made.fit(data, folder, values).module.state_dict()
    return {name: tensor.clone() for name, tensor in state.items()}


def test_an_encoder_or_a_whole_model_is_taken_over(data: Path, tmp_path: Path) -> None:
    scratch = start(data, tmp_path)
    encoder = start(data, tmp_path, transfer__source="pretrained")
    whole = start(data, tmp_path, transfer__source="pretrained", transfer__part="whole")
    fit = made.fit(data, tmp_path / "again", SMALL | {"training/seed": 9})
    fit.epoch(1, [])
    for name, tensor in fit.module.state_dict().items():
        is_encoder = name.startswith("encoder.")
        assert torch.equal(whole[name], tensor)
        assert torch.equal(encoder[name], tensor if is_encoder else scratch[name])
    moved = [name for name, tensor in scratch.items() if not torch.equal(tensor, whole[name])]
    assert "head.weight" in moved and "encoder.layers.1.norms.0.running_mean" in moved


def test_tensors_that_do_not_match_are_named(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as wrong:
        start(data, tmp_path, transfer__source="pretrained", model__hidden_size=12)
    text = str(wrong.value)
    assert "encoder.layers.0.cells.0.weight_ih_l0 [32, 2] there and [48, 2] here" in text
    assert "'pretrained', encoder" in text
    assert text.count("there and") == 8 and " more. " in text
    with pytest.raises(SpecError, match=r"encoder\.layers\.2\.\S+ absent there"):
        start(data, tmp_path, transfer__source="pretrained", model__layers=3)


def test_frozen_parameters_stay_and_the_others_learn(data: Path, tmp_path: Path) -> None:
    values = SMALL | {
        "optimizer/name": "momentum",
        "optimizer/weight_decay": 0.1,
        "regularization/l2": 0.1,
        "training/clip_norm": 1.0,
        "transfer/freeze": "encoder.layers.0.* *.bias_hh_l0",
    }
    fit = made.fit(data, tmp_path, values)
    before = {name: p.detach().clone() for name, p in fit.module.named_parameters()}
    figures = fit.epoch(1, [])
    frozen = [name for name, p in before.items() if torch.equal(p, fit.module.get_parameter(name))]
    named = ("encoder.layers.0.", "encoder.layers.1.cells.0.bias_hh_l0")
    assert frozen == [name for name in before if name.startswith(named)]
    free = made.fit(data, tmp_path / "free", values | {"transfer/freeze": ""})
    assert len(fit.parameters) == len(free.parameters) - len(frozen)
    assert "grad_norm/encoder.layers.0" not in figures
    free.epoch(1, [])
    state = free.module.named_parameters()
    assert not any(torch.equal(before[name], p) for name, p in state if name in frozen)


@pytest.mark.parametrize(
    ("freeze", "rule"),
    [("encoder.layers.7.*", "must match a parameter"), ("*", "must leave something to train")],
)
def test_what_freezes_nothing_or_everything_is_refused(
    data: Path, tmp_path: Path, freeze: str, rule: str
) -> None:
    with pytest.raises(SpecError, match=rule):
        start(data, tmp_path, transfer__freeze=freeze)


def test_a_resumed_transfer_ends_with_the_weights_of_an_undisturbed_one(
    data: Path, tmp_path: Path
) -> None:
    values = SMALL | {"transfer/source": "pretrained", "transfer/freeze": "encoder.layers.0.*"}
    ends = []
    for cut in (False, True):
        job = made.job(data, tmp_path / str(cut), values, metric="loss", maximize=False)
        rank = Rank("cpu", 1)
        rank.start(job)
        rank.epoch()
        if cut:
            rank.save()
            rank = Rank("cpu", 1)
            assert rank.start(job) == 1
        while not rank.epoch().ended:
            pass
        best = checkpoint.read(Path(job.folder), BEST)
        assert best is not None
        ends.append(best.tensors)
    assert all(torch.equal(tensor, ends[1][name]) for name, tensor in ends[0].items())
