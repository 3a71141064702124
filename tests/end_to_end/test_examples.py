"""Examples run as they are: data made, swept, exported, and asked about their own data again."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import tuner

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def test_springs(tmp_path: Path) -> None:
    for name in ("springs.py", "springs.yaml"):
        shutil.copy(EXAMPLES / name, tmp_path)
    subprocess.run([sys.executable, str(tmp_path / "springs.py")], check=True, capture_output=True)
    done = tuner("sweep", "springs.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    board = json.loads(tuner("leaderboard", "springs", "--format", "json", cwd=tmp_path).stdout)
    best = board["trials"][0]
    assert best["value"] > 0.5 and best["test"] == pytest.approx(best["value"], abs=0.25)
    naive = {baseline["name"]: baseline["validation"] for baseline in board["baselines"]}
    assert naive.keys() == {"mean", "median"} and max(naive.values()) < 0.1
    done = tuner("export", "springs", "--to", "model", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "regression" in (tmp_path / "model" / "card.md").read_text()
    done = tuner(
        "predict", "model", "data/springs.parquet", "--output", "answers.csv", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "answers.csv").open() as file:
        answers = list(csv.DictReader(file))
    assert len(answers) == 600 and list(answers[0]) == ["id", "stiffness", "damping"]
    stiffness = np.array([float(answer["stiffness"]) for answer in answers])
    assert 4 < stiffness.mean() < 40
