"""The encoder of each frame of a clip: what it leaves, and what it cannot see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import pytest
import torch

from tuner.models.architectures.recurrent import RecurrentConfig, num_parameters, solved
from tuner.models.build import build
from tuner.models.frames import Frames
from tuner.models.initialization import InitializationConfig
from tuner.models.shape import Dropouts, Shape
from tuner.models.steps import Steps
from tuner.training.rank import Rank

FRAME = (10, 7, 3)
INPUTS = 210


def test_each_frame_is_convolved_by_itself() -> None:
    module = Frames(FRAME, layers=2, filters=4)
    x_BTHWC = torch.randn(2, 5, *FRAME)
    x_BTX = x_BTHWC.flatten(2)
    found = module(x_BTX, Steps(x_BTX, torch.tensor([5, 3])))
    assert found.shape == (2, 5, 3 * 2 * 4) and not found[1, 3:].any()
    for b, steps in ((0, 5), (1, 3)):
        for t in range(steps):
            y_CHW = x_BTHWC[b, t].permute(2, 0, 1)
            for layer in module.encoder.layers:
                y_CHW = torch.relu(layer(y_CHW))
            torch.testing.assert_close(found[b, t], y_CHW.permute(1, 2, 0).flatten())


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize(
    "shape",
    [
        Shape(INPUTS, 5, frame=FRAME),
        Shape(2 * INPUTS, 5, frame=FRAME, per_step=True, stride=2),
        Shape(INPUTS, 5, frame=FRAME, decodes=True),
    ],
    ids=["class", "two side by side", "text"],
)
def test_its_size_is_known_without_building_it(shape: Shape, layers: int) -> None:
    config = RecurrentConfig(hidden_size=6, picture_layers=layers, convolution_filters=4)
    module = build(config, InitializationConfig(), Dropouts(), shape, seed=0).eval()
    assert num_parameters(config, shape) == sum(p.numel() for p in module.parameters())
    x_BTX = torch.randn(3, 4, shape.inputs)
    outputs = module(x_BTX, torch.tensor([4, 1, 2]))
    assert (outputs[0] if shape.decodes else outputs).isfinite().all()


def test_a_width_is_solved_for_a_number_of_parameters() -> None:
    shape = Shape(INPUTS, 5, frame=FRAME)
    config = RecurrentConfig(parameters=20_000, picture_layers=2, convolution_filters=8)
    module = build(config, InitializationConfig(), Dropouts(), shape, seed=0)
    assert solved(config, shape).hidden_size != config.hidden_size
    assert sum(p.numel() for p in module.parameters()) == pytest.approx(20_000, rel=0.02)


def test_a_clip_goes_on_from_its_state() -> None:
    shape = Shape(INPUTS, 5, frame=FRAME, per_step=True, carries=True)
    config = RecurrentConfig(hidden_size=6, convolution_filters=4)
    module = build(config, InitializationConfig(), Dropouts(), shape, seed=0).eval()
    x_BTX = torch.randn(2, 7, INPUTS)
    whole, _ = module(x_BTX, torch.tensor([7, 7]))
    first, state = module(x_BTX[:, :3], torch.tensor([3, 3]))
    second, _ = module(x_BTX[:, 3:], torch.tensor([4, 4]), state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), whole)


def test_a_step_holds_whole_frames() -> None:
    with pytest.raises(ValueError, match="whole frames"):
        Shape(INPUTS + 1, 5, frame=FRAME)
    with pytest.raises(ValueError, match="whole frames"):
        Shape(21, 5, frame=FRAME, picture=FRAME)


def reached(folder: Path, **data: Any) -> float:
    """The share of test clips whose direction is told."""
    folder.mkdir()
    made.clips_csv(folder / "rows.csv", num=240)
    section = {"train": "rows.csv", "target": "label", "test": 0.25, "duplicates": "warn"}
    section |= {"frames": {"height": 6, "width": 12, "colour": False}, **data}
    values = {"model/cell": "gru", "model/hidden_size": 24, "training/epochs": 25}
    values |= {"model/picture_layers": 1, "model/convolution_filters": 8, "optimizer/lr": 0.01}
    rank = Rank("cpu", 1)
    prepared = made.prepared(folder, made.CLASSIFICATION, section)
    rank.start(made.job_of("video", prepared, folder / "trial", values | {"data/scaling": "none"}))
    while not rank.epoch().ended:
        pass
    rank.stop()
    return float(rank.evaluate("test")["accuracy"])


def test_what_moves_is_learned_where_no_single_frame_tells_it(tmp_path: Path) -> None:
    assert reached(tmp_path / "clips") > 0.95
    assert reached(tmp_path / "frames", max_length=1, truncate="end") < 0.7
