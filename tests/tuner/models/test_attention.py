"""Self-attention and learned queries, against torch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tuner import registry
from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.attention import SelfAttention
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape
from tuner.models.steps import Steps

H_BTH = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(0))
STEPS = Steps(H_BTH, torch.tensor([6, 2, 4]))


@pytest.mark.parametrize("directions", [1, 2])
def test_self_attention_equals_torchs(directions: int) -> None:
    ours = SelfAttention(directions, 8 // directions, heads=4)
    theirs = nn.MultiheadAttention(8, 4, batch_first=True)
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.read.weight,
            "in_proj_bias": ours.read.bias,
            "out_proj.weight": ours.write.weight,
            "out_proj.bias": ours.write.bias,
        }
    )

    found_D = ours(list(H_BTH.chunk(directions, dim=-1)), STEPS)

    expected_BTH, _ = theirs(H_BTH, H_BTH, H_BTH, key_padding_mask=~STEPS.valid_BT)
    torch.testing.assert_close(torch.cat(found_D, dim=-1), expected_BTH)


def test_heads_need_not_divide_the_units() -> None:
    (found_BTH,) = SelfAttention(1, 8, heads=3)([H_BTH], STEPS)

    assert found_BTH.shape == H_BTH.shape


def test_a_dot_attention_starts_as_the_mean_and_learns_its_query() -> None:
    pool, mean = (registry.get("poolings", n).build(1, 8, 4) for n in ("dot_attention", "mean"))

    torch.testing.assert_close(pool([H_BTH], STEPS)[0], mean([H_BTH], STEPS)[0])
    with torch.no_grad():
        pool.query.copy_(100 * H_BTH[0, 3])
    weight_T = torch.softmax(H_BTH[0] @ pool.query / 8**0.5, dim=0)
    torch.testing.assert_close(pool([H_BTH], STEPS)[0][0], weight_T @ H_BTH[0])


def test_a_multihead_attention_is_the_mean_of_what_steps_find() -> None:
    pool = registry.get("poolings", "multihead_attention").build(1, 8, 4)

    (pooled_BH,) = pool([H_BTH], STEPS)

    (found_BTH,) = pool.attention([H_BTH], STEPS)
    torch.testing.assert_close(pooled_BH[1], found_BTH[1, :2].mean(dim=0))


@pytest.mark.parametrize("directions", [1, 2])
def test_an_attention_layer_adds_what_each_step_finds(directions: int) -> None:
    def network(**options: Any) -> nn.Module:
        config = RecurrentConfig(hidden_size=4, directions=directions, **options)
        shape = Shape(8, 2, per_step=True)
        return build(config, InitializationConfig(), Dropouts(), shape, seed=1)

    module, plain = network(attention_layer=True, heads=2), network()
    plain.load_state_dict(module.state_dict(), strict=False)
    lengths_B = torch.tensor([6, 2, 4])
    h_D, _ = module.encoder(H_BTH, STEPS)
    h_BTJ = torch.cat(h_D, dim=-1)

    y_BTO = module(H_BTH, lengths_B)

    expected_BTO = module.head(h_BTJ + torch.cat(module.attention(h_D, STEPS), dim=-1))
    torch.testing.assert_close(y_BTO, expected_BTO)
    assert not torch.allclose(y_BTO, plain(H_BTH, lengths_B), atol=1e-3)
