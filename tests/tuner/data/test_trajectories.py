"""Episodes of an `.npz`: each array a column or some, and what is none refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuner.data.formats.trajectories import read
from tuner.data.layout import Layout
from tuner.errors import DataError

STARTS = np.array([True, False, False, True, False])
OBS = np.arange(10, dtype=np.float32).reshape(5, 2)


def saved(folder: Path, **arrays: Any) -> Path:
    path = folder / "expert.npz"
    np.savez(path, **arrays)
    return path


def test_arrays_of_steps_become_columns(tmp_path: Path) -> None:
    actions = np.array([[1], [0], [1], [1], [0]])
    pictures = np.zeros((5, 2, 2))
    path = saved(
        tmp_path,
        **{"obs": OBS, "actions": actions, "episode_starts": STARTS},
        **{"episode_returns": np.array([3.0, 2.0]), "pictures": pictures},
    )
    table = read(path, Layout())
    assert table.columns.to_pydict() == {
        "episode": [1, 1, 1, 2, 2],
        "obs_0": OBS[:, 0].tolist(),
        "obs_1": OBS[:, 1].tolist(),
        "actions": [1, 0, 1, 1, 0],
    }
    assert table.where(4).endswith("expert.npz row 5")


def test_episodes_may_be_named(tmp_path: Path) -> None:
    path = saved(tmp_path, episode=np.array(["a", "a", "b"]), done=np.array([False, True, True]))
    assert read(path, Layout()).columns.to_pydict() == {
        "episode": ["a", "a", "b"],
        "done": [0, 1, 1],
    }


@pytest.mark.parametrize(
    ("arrays", "code", "part"),
    [
        ({"obs": OBS}, "data/episodes", "'obs'"),
        ({"obs": OBS, "episode": OBS}, "data/episodes", "episode_starts"),
        ({"episode": np.zeros(0)}, "data/no-rows", ""),
        ({"episode": STARTS, "x": np.array([object()] * 5)}, "data/content", "savez"),
        ({"episode": STARTS, "obs": OBS, "obs_1": STARTS}, "data/duplicate-columns", "'obs_1'"),
    ],
)
def test_mistakes(arrays: dict[str, Any], code: str, part: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        read(saved(tmp_path, **arrays), Layout())
    (mistake,) = refused.value.mistakes
    assert mistake.code == code and part in str(mistake) and "expert.npz" in mistake.where
