"""AR and TAR: the formula over valid steps, and that training feels it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tuner.config import TrialConfig
from tuner.models.steps import Steps
from tuner.refused_values import ValuesRefused
from tuner.training.activations import Activations
from tuner.training.regularization import RegularizationConfig


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.classification(tmp_path_factory.mktemp("data"))


class Echo(nn.Module):
    """Says what it hears, in two directions."""

    def forward(self, x_BTF: Tensor, steps: Steps) -> tuple[list[Tensor], list[Tensor]]:
        return [x_BTF, -x_BTF], []


def penalty(x_BTF: Tensor, lengths: list[int], **given: float) -> float:
    encoder = Echo()
    watch = Activations(RegularizationConfig(**given), encoder)
    encoder(x_BTF, Steps(x_BTF, torch.tensor(lengths)))
    return watch.penalty().item()


def test_the_penalties_are_what_their_fields_say() -> None:
    x_BTF = torch.tensor([[[1.0], [3.0], [9.0]], [[2.0], [2.0], [4.0]]])
    assert penalty(x_BTF, [2, 3], activation=2.0) == pytest.approx(2 * (10 / 2 + 24 / 3))
    found = penalty(x_BTF, [2, 3], temporal_activation=3.0)
    assert found == pytest.approx(3 * (4 / 1 + 4 / 2))
    both = penalty(x_BTF, [2, 3], activation=2.0, temporal_activation=3.0)
    assert both == pytest.approx(26 + 18)


def test_padding_idle_rows_and_single_steps_add_nothing() -> None:
    x_BTF = torch.randn(3, 4, 2)
    both = {"activation": 1.0, "temporal_activation": 1.0}
    alone = penalty(x_BTF[:1, :2], [2], **both) + penalty(x_BTF[1:2, :1], [1], activation=1.0)
    assert penalty(x_BTF, [2, 1, 0], **both) == pytest.approx(alone)


@pytest.mark.parametrize("field", ["activation", "temporal_activation"])
def test_training_lowers_what_is_penalised(data: Path, tmp_path: Path, field: str) -> None:
    def size(strength: float) -> float:
        values: dict[str, Any] = {f"regularization/{field}": strength, "optimizer/lr": 0.02}
        fit = made.fit(data, tmp_path / str(strength), values)
        for number in range(1, 11):
            fit.epoch(number, [])
        batch = fit.train.take(np.arange(len(fit.train)))
        steps = Steps(batch.inputs, batch.lengths)
        with torch.no_grad():
            (h_BTH,), _ = fit.module.encoder(batch.inputs, steps)
        if field == "temporal_activation":
            return float((h_BTH[:, 1:] - h_BTH[:, :-1])[steps.valid_BT[:, 1:]].square().mean())
        return float(h_BTH[steps.valid_BT].square().mean())

    assert size(10.0) < 0.5 * size(0.0)


def test_is_refused_for_a_model_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_models.py").write_text("class Mine: ...")
    own = {"model/name": "own_models:Mine"}
    TrialConfig.from_values(own, made.CLASSIFICATION)
    for given in ({"regularization/activation": 2.0}, {"training/bptt": 2}):
        with pytest.raises(ValuesRefused, match=r"a model of one's own lacks"):
            TrialConfig.from_values(own | given, made.CLASSIFICATION)
