"""The forecasting example is run as a user does; its model is exported and asked for a day."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

from command import tuner

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def test_it_is_swept_exported_and_asked(tmp_path: Path) -> None:
    for name in ("demand.py", "demand.yaml"):
        shutil.copy(EXAMPLES / name, tmp_path)
    subprocess.run([sys.executable, "demand.py"], cwd=tmp_path, check=True)
    short = ("--trials", "3", "--set", "training/epochs=3", "--set", "model/hidden_size=16")
    done = tuner("sweep", "demand.yaml", *short, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = tuner("leaderboard", "demand", "--format", "json", cwd=tmp_path).stdout
    best = json.loads(text)["trials"][0]
    assert best["value"] < 0.3 and best["test"] is not None
    done = tuner("export", "demand", "--to", "model", cwd=tmp_path)
    assert done.returncode == 0, done.stderr

    with (tmp_path / "data" / "demand.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["time"] < "2024-04-04"]
    for row in rows:
        if row["time"] >= "2024-04-03":
            row |= {"load": "", "weather": ""}
    with (tmp_path / "new.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    answer = tuner("predict", "model", "new.csv", "--output", "day.jsonl", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    lines = [json.loads(line) for line in (tmp_path / "day.jsonl").read_text().splitlines()]
    assert [(line["id"], line["step"]) for line in lines] == [
        (f"town {n}", step) for n in range(3) for step in range(1, 25)
    ]
    assert all(line["load 0.1"] <= line["load"] <= line["load 0.9"] for line in lines)
    means = [
        sum(line["load"] for line in lines if line["id"] == f"town {n}") / 24 for n in range(3)
    ]
    assert means == sorted(means)
