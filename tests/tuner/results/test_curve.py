from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tuner.results import curve


def test_what_was_written_is_read_and_repeated_epochs_count_once(tmp_path: Path) -> None:
    for epoch, loss in ((1, 3.0), (2, 2.0), (2, 2.5), (3, 1.0)):
        curve.append(tmp_path / "trial", epoch, {"loss": loss, "lr": 0.1})
    found = curve.read(tmp_path / "trial")
    assert found == {"epoch": [1, 2, 3], "loss": [3.0, 2.5, 1.0], "lr": [0.1] * 3}


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    curve.append(tmp_path, 1, {"loss": 3.0, "lr": 0.5})
    with (tmp_path / curve.CURVE).open("a") as file:
        file.write("2,2.")
    assert curve.read(tmp_path)["epoch"] == [1]
    curve.append(tmp_path, 2, {"loss": 2.0, "lr": 0.5})
    curve.append(tmp_path, 3, {"loss": 1.0, "lr": 0.5})
    assert curve.read(tmp_path)["epoch"] == [1, 3]


def test_nothing_reported_is_nothing_read(tmp_path: Path) -> None:
    assert curve.read(tmp_path) == {}


def test_the_picture_is_svg_with_one_line_per_name(tmp_path: Path) -> None:
    columns = {"epoch": [1.0, 2.0, 3.0], "a": [1.0, float("nan"), 3.0], "b": [2.0, 2.0, 2.0]}
    path = curve.draw(tmp_path, columns, ["a", "b"], "trial <7>")
    root = ElementTree.parse(path).getroot()
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert [len(line.get("points", "").split()) for line in lines] == [2, 3]
    assert "trial <7>" in "".join(root.itertext())
