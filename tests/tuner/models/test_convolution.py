"""A convolution over time that equals torch's on each sequence alone."""

from __future__ import annotations

import pytest
import torch

from tuner.models.architectures.recurrent import RecurrentConfig
from tuner.models.build import build
from tuner.models.convolution import Convolution
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape
from tuner.models.steps import Steps

X_BTF = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
LENGTHS_B = torch.tensor([6, 4])


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_it_equals_a_convolution_of_each_sequence_alone(size: int, causal: bool) -> None:
    front = Convolution(3, 4, size, causal=causal)
    reach = size - 1
    pad = (reach, 0) if causal else (reach // 2, reach // 2)

    h_BTE, _ = front(X_BTF, Steps(X_BTF, LENGTHS_B), None)

    for row, length in enumerate(LENGTHS_B.tolist()):
        x_1FT = torch.nn.functional.pad(X_BTF[row : row + 1, :length].transpose(1, 2), pad)
        expected_1ET = torch.nn.functional.conv1d(x_1FT, *front.convolution.parameters()).relu()
        torch.testing.assert_close(h_BTE[row, :length], expected_1ET[0].T)


def test_the_layers_read_what_it_gives() -> None:
    shape = Shape(3, 2)
    config = RecurrentConfig(hidden_size=5, convolution=3, convolution_filters=7)

    module = build(config, InitializationConfig(), Dropouts(), shape, seed=1)
    module(X_BTF, LENGTHS_B).square().sum().backward()

    assert module.encoder.layers[0].cells[0].input_size == 7
    for parameter in module.convolution.parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0
    plain = RecurrentConfig(hidden_size=5)
    assert build(plain, InitializationConfig(), Dropouts(), shape, seed=1).convolution is None
