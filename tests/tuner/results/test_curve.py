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


COLUMNS = {
    "epoch": [1.0, 2.0, 3.0, 4.0],
    "validation/a": [1.0, 3.0, float("nan"), 3.0],
    "train/loss": [2.0] * 4,
    "train/grad_norm/total": [4.0, 3.0, 2.0, 1.0],
    "train/grad_norm/head": [1.0] * 4,
}


def lines(path: Path, title: str) -> list[int]:
    """Points of each line of a picture, its key's and its dots left out."""
    root = ElementTree.parse(path).getroot()
    assert title in "".join(root.itertext())
    paths = root.iter("{http://www.w3.org/2000/svg}path")
    return [d.count("L") + 1 for path in paths if "L" in (d := path.get("d", ""))]


def test_scores_and_losses_are_drawn_broken_where_there_is_no_value(tmp_path: Path) -> None:
    path = curve.draw(tmp_path, COLUMNS, "a", "trial <7>")
    assert lines(path, "trial <7>") == [2, 4]


def test_norms_of_the_whole_gradient_are_drawn(tmp_path: Path) -> None:
    path = curve.draw_norms(tmp_path, COLUMNS, "trial <7>")
    assert path is not None and lines(path, "trial <7>") == [4]
    assert curve.draw_norms(tmp_path, {"epoch": [1.0]}, "none") is None
