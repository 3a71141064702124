"""Poolings made of others."""

from __future__ import annotations

import torch

from tuner import registry
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape
from tuner.models.steps import Steps


def test_last_maximum_and_mean_stand_side_by_side_in_each_direction() -> None:
    h_BTDH = torch.randn(2, 5, 2, 4)
    pool = registry.get("poolings", "last_max_mean").build(2, 4, 1)

    forward_BP, backward_BP = pool(list(h_BTDH.unbind(2)), Steps(h_BTDH, torch.tensor([5, 3])))

    ahead_TH, back_TH = h_BTDH[1, :3].unbind(1)
    expected_P = torch.cat([ahead_TH[2], ahead_TH.amax(0), ahead_TH.mean(0)])
    torch.testing.assert_close(forward_BP[1], expected_P)
    expected_P = torch.cat([back_TH[0], back_TH.amax(0), back_TH.mean(0)])
    torch.testing.assert_close(backward_BP[1], expected_P)


def test_the_head_reads_all_that_a_pooling_gives() -> None:
    def head(**options: object) -> int:
        config = RecurrentConfig.model_validate({"hidden_size": 6, **options})
        module = build(config, InitializationConfig(), Dropouts(), Shape(3, 2), seed=1)
        return int(module.head.in_features)

    assert head(pooling="last_max_mean", directions=2) == 3 * 2 * 6
    assert head(pooling="last_max_mean", directions=2, join="sum") == 3 * 6
    assert head(pooling="max") == 6
