"""What neither a sequence nor what stands beside it can say, both together do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made
import numpy as np
import pytest

from tuner.data import png
from tuner.training.rank import Rank

NUM = 240


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sequences that go up or down, beside each a number and a picture that say the same: the
    label tells whether the two agree. `noise` says nothing.
    """
    place = tmp_path_factory.mktemp("xor")
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    for i in range(NUM):
        up, bright = rng.integers(0, 2, 2)
        pixels_HWC = rng.integers(0, 90, (4, 4, 3)).astype(np.uint8) + np.uint8(160 * bright)
        (place / f"{i}.png").write_bytes(png.encode(pixels_HWC))
        number = round(float(rng.normal(50 + 20 * (2 * bright - 1), 3)), 2)
        beside = {"weight": number, "photo": f"{i}.png", "label": "no" if up == bright else "yes"}
        for step in range(int(rng.integers(2, 5))):
            x, noise = rng.normal(2 * up - 1, 0.4), rng.normal()
            rows.append({"id": i, "step": step, "x": x, "noise": noise, **beside})
    made.write_rows(place / "rows.csv", rows)
    return place


def accuracy(folder: Path, name: str, data: dict[str, Any], **values: Any) -> float:
    """Of a small network on validation rows, after some epochs."""
    place = folder / name
    section = {"train": str(folder / "rows.csv"), "id": "id", "time": "step", "target": "label"}
    if not place.exists():
        place.mkdir()
        made.prepared(place, made.CLASSIFICATION, section | {"validation": 0.4} | data)
    small = {"optimizer/lr": 0.03, "training/epochs": 25, "training/batch_size": 32}
    small |= {"model/picture_layers": 1, "model/convolution_filters": 4}
    rank = Rank("cpu", 1)
    trial = place / "-".join(map(str, values.values()))
    rank.start(made.job(place / "data", trial, small | values))
    best = 0.0
    while True:
        report = rank.epoch()
        best = max(best, report.metrics["accuracy"])
        if report.ended or best > 0.97:
            return best


STATIC = {"static": ["weight"]}
PICTURE = {"picture": {"path": "photo", "height": 4, "width": 4}}


@pytest.mark.parametrize("fusion", ["late", "early", "gated"])
@pytest.mark.parametrize("beside", [STATIC, PICTURE], ids=["static", "picture"])
def test_both_together_say_what_neither_does(
    folder: Path, beside: dict[str, Any], fusion: str
) -> None:
    name = "-".join(beside)
    given = {"features": ["x"], **beside}
    assert accuracy(folder, name, given, **{"model/fusion": fusion}) >= 0.95


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("sequence", {"features": ["x"]}),
        ("number", {"features": ["noise"], **STATIC}),
        ("photo", {"features": ["noise"], **PICTURE}),
    ],
)
def test_either_alone_says_nothing(folder: Path, name: str, data: dict[str, Any]) -> None:
    assert accuracy(folder, name, data, **{"training/epochs": 8}) <= 0.6
