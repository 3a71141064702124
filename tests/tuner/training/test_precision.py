"""Half precision in training: near the float32 curve, exact under resume, scored in float32."""

from __future__ import annotations

from pathlib import Path

import made
import pytest
import torch
from torch import Tensor

from tuner import registry
from tuner.errors import SpecError
from tuner.spec_reader import load
from tuner.training.rank import Rank


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.classification(tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("cell", registry.names("cells"))
def test_bfloat16_computes_the_forward_pass_of_training_only(
    data: Path, tmp_path: Path, cell: str
) -> None:
    def run(precision: str) -> tuple[list[float], list[torch.dtype], Tensor]:
        values = {"training/precision": precision, "model/cell": cell, "optimizer/lr": 0.01}
        fit = made.fit(data, tmp_path / precision, values)
        dtypes: list[torch.dtype] = []
        fit.module.head.register_forward_hook(lambda *given: dtypes.append(given[2].dtype))
        losses = [fit.epoch(number, [])["train_loss"] for number in range(1, 7)]
        in_training = len(dtypes)
        fit.evaluate(fit.validation)
        assert set(dtypes[in_training:]) == {torch.float32}
        return losses, dtypes[:in_training], fit.module.head.weight.detach()

    full, full_dtypes, _ = run("float32")
    half, half_dtypes, weights = run("bfloat16")
    assert set(full_dtypes) == {torch.float32} and set(half_dtypes) == {torch.bfloat16}
    assert half == pytest.approx(full, rel=0.05) and half != full
    assert weights.dtype == torch.float32 and half[-1] < half[0]


def test_float16_without_a_gpu_is_refused_before_anything_starts(tmp_path: Path) -> None:
    made.sequences_csv(tmp_path / "rows.csv")
    path = tmp_path / "half.yaml"
    path.write_text(
        """
        name: half
        task: classification
        data: {train: rows.csv, id: id, time: step, target: label}
        override: {training/precision: [bfloat16, float16]}
        """
    )
    with pytest.raises(SpecError, match=r"needs a GPU.*line 5 gave float16 with .* of 0\. Take"):
        load(path)
    load(path, settings=["resources/gpus_per_worker=1"])
    load(path, settings=["training/precision=bfloat16"])


def through_an_overflow(data: Path, folder: Path, device: str, cell: str) -> None:
    """Starts at a scale so large that gradients overflow: such steps are left out."""
    values = {"training/precision": "float16", "model/cell": cell, "optimizer/lr": 0.01}
    values |= {"training/epochs": 40, "training/clip_norm": 1.0, "training/ema": 0.5}
    rank = Rank(device, 1)
    rank.start(made.job(data, folder, values))
    assert rank._trial is not None
    (fit,) = rank._trial.fits
    before = {name: p.detach().clone() for name, p in fit.module.named_parameters()}
    state = fit.precision.scaler.state_dict()
    fit.precision.scaler.load_state_dict(state | {"scale": 2.0**60})
    assert rank.epoch().metrics["grad_norm/total"] == 0
    assert all(torch.equal(before[name], p) for name, p in fit.module.named_parameters())
    losses = [rank.epoch().metrics["train_loss"] for _ in range(25)]
    assert fit.precision.scaler.get_scale() < 2.0**40 and losses[-1] < losses[0]
    assert rank.note() == "", "a scale that is too large is no explosion"
    rank.save()
    again = Rank(device, 1)
    assert again.start(made.job(data, folder, values)) == 26
    assert again._trial is not None
    scale = again._trial.fits[0].precision.scaler.state_dict()
    assert scale == fit.precision.scaler.state_dict()
    assert again.epoch().metrics["train_loss"] == rank.epoch().metrics["train_loss"]


def test_float16_leaves_out_steps_that_overflow(data: Path, tmp_path: Path) -> None:
    """On a CPU, which a spec may not ask for: torch has float16 there for all but the LSTM."""
    through_an_overflow(data, tmp_path, "cpu", "gru")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="float16 is for GPUs, and here is none")
def test_float16_leaves_out_steps_that_overflow_on_a_gpu(data: Path, tmp_path: Path) -> None:
    through_an_overflow(data, tmp_path, "cuda", "lstm")
