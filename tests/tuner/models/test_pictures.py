"""A picture's encoder: what its layers leave, and that the graph does the same."""

from __future__ import annotations

import pytest
import torch

from tuner.models.architectures.recurrent import RecurrentConfig, num_parameters
from tuner.models.build import build
from tuner.models.initialization import InitializationConfig
from tuner.models.pictures import Pictures
from tuner.models.shape import Dropouts, Shape

PICTURE = (10, 7, 3)


def test_a_layer_is_a_convolution_of_the_pixels() -> None:
    module = Pictures(PICTURE, layers=2, filters=4)
    x_BHWC = torch.randn(2, *PICTURE)
    found, lengths_B = module(x_BHWC.flatten(2), torch.tensor([10, 10]))
    y_BCHW = x_BHWC.permute(0, 3, 1, 2)
    for layer in module.layers:
        y_BCHW = torch.relu(layer(y_BCHW))
    assert y_BCHW.shape[2:] == (3, 2) and lengths_B.tolist() == [6, 6]
    for step in range(6):
        torch.testing.assert_close(found[:, step], y_BCHW[:, :, step // 2, step % 2])


@pytest.mark.parametrize("decodes", [False, True])
@pytest.mark.parametrize("layers", [1, 3])
def test_its_size_is_known_without_building_it(decodes: bool, layers: int) -> None:
    shape = Shape(21, 5, picture=PICTURE, decodes=decodes)
    config = RecurrentConfig(hidden_size=6, picture_layers=layers, convolution_filters=4)
    module = build(config, InitializationConfig(), Dropouts(), shape, seed=0)
    assert num_parameters(config, shape) == sum(p.numel() for p in module.parameters())


def test_a_picture_can_have_a_class() -> None:
    shape = Shape(21, 5, picture=PICTURE)
    config = RecurrentConfig(hidden_size=6, directions=2, convolution_filters=4)
    module = build(config, InitializationConfig(), Dropouts(), shape, seed=0).eval()
    assert module(torch.randn(2, 10, 21), torch.tensor([10, 10])).shape == (2, 5)
    # A rank without rows takes part with one that has no steps.
    assert module(torch.zeros(1, 10, 21), torch.tensor([0])).isfinite().all()


def test_a_picture_is_read_as_a_whole() -> None:
    with pytest.raises(ValueError, match="as a whole"):
        Shape(20, 5, picture=PICTURE)
    with pytest.raises(ValueError, match="as a whole"):
        Shape(21, 5, picture=PICTURE, per_step=True)
