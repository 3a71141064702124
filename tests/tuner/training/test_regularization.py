from __future__ import annotations

from dataclasses import asdict

import pytest
import torch
from torch import nn

from tuner.models.shape import Dropouts
from tuner.training.regularization import RegularizationConfig, penalty, regularized


def test_biases_norms_and_embeddings_are_spared() -> None:
    module = nn.ModuleDict(
        {
            "embedding": nn.Embedding(5, 3),
            "lstm": nn.LSTM(3, 4),
            "norm": nn.LayerNorm(4),
            "head": nn.Linear(4, 2),
        }
    )
    names = {id(p): name for name, p in module.named_parameters()}
    weights, spared = regularized(module)
    assert {names[id(p)] for p in weights} == {
        "lstm.weight_ih_l0",
        "lstm.weight_hh_l0",
        "head.weight",
    }
    assert len(weights) + len(spared) == len(names)


def test_the_penalty_is_what_its_fields_say() -> None:
    weights = [nn.Parameter(torch.tensor([[1.0, -2.0]])), nn.Parameter(torch.tensor([[3.0]]))]
    found = penalty(RegularizationConfig(l1=0.1, l2=0.01), weights)
    assert found is not None
    assert found.item() == pytest.approx(0.1 * 6 + 0.005 * 14)
    assert penalty(RegularizationConfig(), weights) is None


def test_every_dropout_reaches_the_network() -> None:
    given = {
        "dropout": 0.1,
        "input_dropout": 0.2,
        "embedding_dropout": 0.3,
        "layer_dropout": 0.4,
        "output_dropout": 0.5,
        "recurrent_dropout": 0.6,
        "scheduled_sampling": 0.7,
        "locked": True,
    }

    assert asdict(RegularizationConfig.model_validate(given).dropouts) == given
    assert RegularizationConfig().dropouts == Dropouts()
