"""Sweeps of other shapes: folds, forecasts, gangs, a model of one's own, and failures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import made
import readme
from command import tuner, write_spec

from tuner.tracking.reader import runs
from tuner.tracking.uri import local_uri


def trials_of(place: Path, name: str) -> list[dict[str, Any]]:
    text = tuner("leaderboard", name, "--format", "json", cwd=place).stdout
    found: list[dict[str, Any]] = json.loads(text)["trials"]
    return found


def test_folds_with_a_gang_of_two(tmp_path: Path) -> None:
    made.sequences_csv(tmp_path / "rows.csv")
    data = {"train": "rows.csv", "id": "id", "time": "step", "target": "label"}
    write_spec(
        tmp_path / "folds.yaml",
        data=data | {"validation": {"folds": 3}, "test": 0.2},
        search={"trials": 2, "seed": 3, "confirm": 1, "seeds": 2},
        resources={"workers": 2},
    )
    done = tuner("sweep", "folds.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    best = trials_of(tmp_path, "folds")[0]
    assert best["test"] is not None
    assert best["seeds"] == 2 and best["mean"] is not None and best["test_mean"] is not None
    done = tuner("rerun", "folds", "--trial", str(best["trial"]), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "equal to the last bit" in done.stdout and "final model's weights" in done.stdout
    done = tuner("export", "folds", "--to", "model", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "train rows" in done.stdout


def test_a_forecast(tmp_path: Path) -> None:
    made.series_csv(tmp_path / "rows.csv", missing=0.05)
    write_spec(
        tmp_path / "waves.yaml",
        task={"name": "forecasting", "horizon": 6},
        data={"train": "rows.csv", "id": "name", "time": "time", "missing": "mean", "test": 0.2},
        override={"model/hidden_size": 8, "training/epochs": 2, "data/look_back": [24, 48]},
        search={"trials": 3, "seed": 3},
    )
    done = tuner("sweep", "waves.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "repeat last 24 steps" in done.stdout
    assert not tuner("export", "waves", "--to", "model", cwd=tmp_path).returncode
    answer = tuner("predict", "model", "rows.csv", "--output", "next.jsonl", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    lines = [json.loads(line) for line in (tmp_path / "next.jsonl").read_text().splitlines()]
    assert [(line["id"], line["step"]) for line in lines] == [
        (f"series {s}", step) for s in range(2) for step in range(1, 7)
    ]
    assert all(5 < line["load"] < 30 for line in lines)


FAILING = """
import torch, tuner

class Mine(torch.nn.Module):
    class Config(tuner.Config):
        width: int = 8
    def __init__(self, config, shape):
        raise ValueError("a mistake of one's own")
"""


def own_spec(folder: Path, name: str, model: str) -> None:
    made.sequences_csv(folder / "rows.csv")
    (folder / "mine.py").write_text(model)
    space = {
        "model/name": "mine:Mine",
        "model/width": {"int": [4, 8]},
        "training/epochs": 2,
        "optimizer/lr": [1e-3, 3e-3, 1e-2],
    }
    write_spec(
        folder / f"{name}.yaml",
        data={"train": "rows.csv", "id": "id", "time": "step", "target": "label"},
        space={"parameters": space},
        override={},
        search={"trials": 3, "seed": 3},
    )


def test_a_model_of_ones_own(tmp_path: Path) -> None:
    """The one that the README shows, exported too: an example that cannot be traced misleads.

    Without a test split, what is shown of the winner is of its validation rows.
    """
    own_spec(tmp_path, "own", readme.block("python", "class Mine"))
    done = tuner("sweep", "own.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    best = trials_of(tmp_path, "own")[0]
    assert best["test"] is None
    folder = tmp_path / "sweeps" / "own" / "trials" / f"{best['trial']:04d}"
    assert not list(folder.glob("test-*"))
    assert (folder / "validation-errors.json").exists() == (best["value"] < 1)
    done = tuner("export", "own", "--to", "model", cwd=tmp_path)
    assert done.returncode == 0 and "Warning" not in done.stderr, done.stderr


def test_a_sweep_in_which_all_trials_fail_says_why_once(tmp_path: Path) -> None:
    own_spec(tmp_path, "bad", FAILING)
    done = tuner("sweep", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].count("a mistake of one's own") == 1
    assert "Traceback" not in done.stderr
    assert {t["state"] for t in trials_of(tmp_path, "bad")} == {"FAILED"}
    states = {run.status for run in runs(local_uri(tmp_path / "sweeps"), "bad")}
    assert states == {"FAILED"}
    refused = tuner("export", "bad", "--to", "model", cwd=tmp_path)
    assert refused.returncode == 2 and "export/none" in refused.stderr
