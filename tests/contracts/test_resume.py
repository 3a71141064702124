"""A trial of any task that stops and goes on ends with the weights of an undisturbed one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import pytest
import torch
from torch import Tensor

from tuner.training.rank import Rank

SETTINGS: dict[str, dict[str, Any]] = {
    "classification": {"data/sampling": "over", "augmentation/mixup": 0.2},
    "ctc": {"data/subsampling": 2, "augmentation/jitter": 0.1},
    "fused": {"data/sampling": "synthetic", "augmentation/mixup": 0.2, "model/fusion": "gated"},
    "regression": {"augmentation/jitter": 0.1},
    "tagging": {"model/crf": True, "regularization/embedding_dropout": 0.1},
    "language_modelling": {"data/window": 24, "training/batch_size": 4},
    "seq2seq": {"regularization/scheduled_sampling": 0.8},
    "synthesis": {"model/frames_per_step": 3},
    "recommendation": {"loss/name": "top1_max", "augmentation/token_dropout": 0.2},
}
CASES = [(name, 1.0) for name in list(made.TASKS)] + [("language_modelling", 0.5)]


def trained(job: Any, epochs: int) -> tuple[int, dict[str, Tensor]]:
    """Where a rank began, and the weights after some more epochs."""
    rank = Rank("cpu", 1)
    begun = rank.start(job)
    for _ in range(epochs):
        rank.epoch()
    rank.save()
    assert rank._trial is not None
    state = rank._trial.fits[0].module.state_dict()
    return begun, {name: tensor.clone() for name, tensor in state.items()}


@pytest.mark.parametrize(("name", "share"), CASES)
def test_resumed_weights_are_the_same_bit_for_bit(name: str, share: float, tmp_path: Path) -> None:
    data = made.of_task(name, tmp_path)
    values = {"model/hidden_size": 6, "training/epochs": 4, "training/epoch_share": share}
    values |= {"regularization/dropout": 0.3, "regularization/recurrent_dropout": 0.2}
    values |= SETTINGS.get(name, {})
    whole, parts = (made.job_of(name, data, tmp_path / n, values) for n in ("whole", "parts"))
    _, expected = trained(whole, 4)
    _, half = trained(parts, 2)
    begun, found = trained(parts, 2)
    assert begun == 2
    assert any(not torch.equal(half[key], tensor) for key, tensor in found.items())
    for key, tensor in expected.items():
        assert torch.equal(found[key], tensor), key
