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


@pytest.mark.skipif(not torch.cuda.is_available(), reason="float16 needs a GPU")
def test_float16_follows_the_curve_and_survives_an_overflow(data: Path, tmp_path: Path) -> None:
    values = {"training/precision": "float16", "optimizer/lr": 0.01, "training/epochs": 6}
    rank = Rank("cuda", 1)
    rank.start(made.job(data, tmp_path, values))
    assert rank._trial is not None
    (fit,) = rank._trial.fits
    # So large that the first gradients overflow: those steps are left out, and the scale falls.
    fit.precision.scaler.load_state_dict(fit.precision.scaler.state_dict() | {"scale": 2.0**40})
    losses = [rank.epoch().metrics["train_loss"] for _ in range(6)]
    assert losses[-1] < losses[0] and fit.precision.scaler.get_scale() < 2.0**40
    tensors = fit.tensors()
    fit.restore(tensors)
    assert fit.tensors()["scaler/scale"] == tensors["scaler/scale"]
