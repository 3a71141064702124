"""Strided convolutions: which steps remain, and that none of them sees padding."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tuner.models.architectures import recurrent
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape, strided
from tuner.models.steps import Steps
from tuner.models.subsampling import Subsampling


def test_a_stride_has_a_layer_for_each_prime_factor() -> None:
    assert strided(1, 3) == []
    assert strided(4, 3) == [(2, 3), (2, 3)]
    assert strided(6, 5) == [(2, 5), (3, 5)]
    assert strided(7, 3) == [(7, 7)], "what a shorter kernel would skip"


@pytest.mark.parametrize("stride", [2, 3, 4, 6, 7, 8])
def test_lengths_follow_every_stride(stride: int) -> None:
    module = Subsampling(2, 3, stride, 3)
    lengths_B = torch.arange(0, 20)
    x_BTF = torch.randn(20, 19, 2)
    h_BTE, steps = module(x_BTF, Steps(x_BTF, lengths_B))
    assert h_BTE.shape == (20, -(-19 // stride), 3)
    assert steps.given_B.tolist() == [-(-length // stride) for length in range(20)]
    for length in range(1, 20):
        alone = x_BTF[length : length + 1, :length]
        h_1TE, of_one = module(alone, Steps(alone, torch.tensor([length])))
        assert h_1TE.shape[1] == of_one.given_B.item()
        torch.testing.assert_close(h_BTE[length, : h_1TE.shape[1]], h_1TE[0])


def test_one_layer_is_torchs_convolution() -> None:
    module = Subsampling(2, 3, 2, 5)
    x_BTF = torch.randn(1, 9, 2)
    h_BTE, _ = module(x_BTF, Steps(x_BTF, torch.tensor([9])))
    (inner,) = module.convolutions
    padded = torch.nn.functional.pad(x_BTF.transpose(1, 2), (2, 2))
    windows = padded.unfold(2, 5, 2)
    expected = torch.einsum("bftk,efk->bte", windows, inner.weight) + inner.bias
    torch.testing.assert_close(h_BTE, expected.relu())


@pytest.mark.parametrize("size", [0, 5])
def test_its_parameters_are_counted_without_torch(size: int) -> None:
    shape = Shape(3, 4, per_step=True, stride=6)
    config = recurrent.Config(hidden_size=8, convolution=size, convolution_filters=5)
    module = build(config, InitializationConfig(), Dropouts(), shape, seed=0)
    counted = sum(parameter.numel() for parameter in module.parameters())
    assert recurrent.num_parameters(config, shape) == counted
    y: Tensor = module(torch.randn(2, 13, 3), torch.tensor([13, 7]))
    assert y.shape == (2, 3, 4)


def test_a_stride_needs_outputs_of_steps() -> None:
    with pytest.raises(ValueError, match="thins the steps"):
        Shape(3, 4, stride=2)
