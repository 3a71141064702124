"""Examples run as they are: data made, swept, exported, and asked about their own data again."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import wave
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


LEARNED = {
    "messages": ("f1", 0.5),
    "questions": ("accuracy", 0.5),
    "tales": ("nats_per_character", 2.0),
    "books": ("hr_10", 0.5),
    "balance": ("return", 100),
    "amounts": ("exact_match", 0.3),
    "shapes": ("bleu_4", 24),
    "motion": ("accuracy", 0.3),
    "bearings": ("accuracy", 0.7),
}
"""What the best of a small budget reaches; guessing leaves the nats at 2.9, the most
frequent caption has a BLEU-4 of 20."""

ASKED = {"messages": 600, "questions": 900, "books": 1500, "balance": 60}
ASKED |= {"amounts": 3000, "shapes": 1500, "motion": 1000, "bearings": 900}
"""Sequences in the data of each."""

RAW = {"amounts": "amounts.words", "shapes": "shapes.csv", "motion": "motion.csv"}
RAW |= {"bearings": "bearings.csv"}
"""What is asked about, where `data` holds more."""


@pytest.mark.parametrize("name", LEARNED)
def test_others(tmp_path: Path, name: str) -> None:
    if name == "balance":
        pytest.importorskip("gymnasium")
    for file in (f"{name}.py", f"{name}.yaml"):
        shutil.copy(EXAMPLES / file, tmp_path)
    script = [sys.executable, str(tmp_path / f"{name}.py")]
    subprocess.run(script, check=True, capture_output=True)
    few = ("--trials", "2", "--set", "training/epochs=2", "--set", "search/grace=1")
    done = tuner("sweep", f"{name}.yaml", *few, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = tuner("export", name, "--to", "model", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "model" / "bundle.json").read_text())["about"]["scores"]
    (best,) = (s["validation"] for s in scores if s["metric"] == LEARNED[name][0])
    assert best < LEARNED[name][1] if name == "tales" else best > LEARNED[name][1]
    if name == "tales":
        asked = ("generate", "model", "--prompt", "seven fox", "--tokens", "40")
        done = tuner(*asked, cwd=tmp_path)
        assert done.stdout.startswith("seven fox") and len(done.stdout) > 30, done.stderr
        return
    (raw,) = (tmp_path / "data").glob(RAW.get(name, "*"))
    asked = ("predict", "model", str(raw), "--output", "answers.csv")
    done = tuner(*asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "answers.csv").open(encoding="utf-8") as file:
        answers = list(csv.DictReader(file))
    assert len({answer["id"] for answer in answers}) == ASKED[name]
    if name == "books":
        with raw.open(encoding="utf-8") as file:
            borrowed = {(row["reader"], row["book"]) for row in csv.DictReader(file)}
        assert not borrowed & {(answer["id"], answer["item"]) for answer in answers}
        assert len(answers) == 15_000


def exported(name: str, folder: Path) -> dict[str, tuple[float, float]]:
    """Of a model of made recordings, in `model`: each metric on validation, and the baseline's."""
    for file in ("whistles.py", f"{name}.yaml"):
        shutil.copy(EXAMPLES / file, folder)
    script = [sys.executable, str(folder / "whistles.py")]
    subprocess.run(script, check=True, capture_output=True)
    done = tuner("sweep", f"{name}.yaml", "--trials", "1", cwd=folder)
    assert done.returncode == 0, done.stderr
    done = tuner("export", name, "--to", "model", cwd=folder)
    assert done.returncode == 0, done.stderr
    scores = json.loads((folder / "model" / "bundle.json").read_text())["about"]["scores"]
    return {score["metric"]: (score["validation"], score["baseline"]) for score in scores}


def test_whistles(tmp_path: Path) -> None:
    reached = exported("whistles", tmp_path)
    assert reached["cer"][0] < 0.5 * reached["cer"][1]
    recordings = [f"data/whistles/{number:03d}.wav" for number in range(20)]
    done = tuner("predict", "model", *recordings, "--output", "answers.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "answers.csv").open() as file:
        answers = list(csv.DictReader(file))
    assert [answer["id"] for answer in answers] == [Path(name).name for name in recordings]
    assert len({answer["text"] for answer in answers}) > 5


def test_whistler(tmp_path: Path) -> None:
    reached = exported("whistler", tmp_path)
    # Most of a frame is noise that nobody can foretell.
    assert reached["dtw"][0] < 0.9 * reached["dtw"][1]
    assert reached["length_error"][0] < 0.25
    (tmp_path / "texts.csv").write_text("text\nnote iron\nsalt\n")
    done = tuner("predict", "model", "texts.csv", "--output", "said", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    seconds = []
    for number in (1, 2):
        with wave.open(str(tmp_path / "said" / f"{number:04d}.wav"), "rb") as file:
            assert file.getframerate() == 4_000
            seconds.append(file.getnframes() / 4_000)
    assert seconds[0] > 1.3 * seconds[1] > 0.3
