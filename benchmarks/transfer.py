"""What an encoder learns from texts without labels: a tenth of TREC's labels, with it and without.

    python benchmarks/transfer.py --data FOLDER [--seeds 5]

One language model reads all 5,452 training questions, labels unseen. Each seed then draws a tenth
of them with their labels, holds a fifth of those back to choose the epoch, and trains a classifier
from scratch and another whose encoder and vectors come from the language model; both are scored on
the 500 test questions, once. The same width, rate and epochs everywhere, none of them searched.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from pathlib import Path
from typing import Any

from tuner import registry
from tuner.data.config import DataConfig
from tuner.data.formats import labelled_text
from tuner.data.layout import Layout
from tuner.data.prepare import prepare
from tuner.training.job import Job
from tuner.training.rank import Rank
from tuner.training.transfer import place, words_of
from tuner.training.words import write_words

HERE = Path(__file__).parent
TREC = "sequence-classification/trec_questions"
SHARED = {"model/hidden_size": 128, "model/embedding": 64, "optimizer/lr": 2e-3}
STREAM = {**SHARED, "training/epochs": 12, "training/batch_size": 16, "data/window": 32}
STREAM |= {"regularization/dropout": 0.3}
CLASSES = {**SHARED, "training/epochs": 30, "training/batch_size": 32, "model/pooling": "max"}
CLASSES |= {"regularization/dropout": 0.3}
SHARE = 0.1
Rows = list[tuple[str, str]]


def read(path: Path) -> Rows:
    """Labels and texts of a file of questions."""
    columns = labelled_text.read(path, Layout(encoding="latin-1")).columns.to_pydict()
    return list(zip(columns["label"], columns["text"], strict=True))


def write(path: Path, rows: Rows) -> None:
    """The same, as a file of labelled texts."""
    path.write_text("".join(f"{label} {text}\n" for label, text in rows), encoding="utf-8")


def prepared(folder: Path, task: dict[str, Any], data: dict[str, Any], seed: int) -> Path:
    """Prepares files of a folder as a sweep does."""
    module = registry.get("tasks", task["name"])
    section = {"tokens": "whitespace", "lowercase": True, "duplicates": "warn", **data}
    config = DataConfig.model_validate(section)
    prepare(config, module.data(module.Config(**task)), folder, folder / "prepared", seed)
    return folder / "prepared"


def train(folder: Path, data: Path, name: str, values: dict[str, Any], metric: str) -> Rank:
    """Trains one model to its end; its best weights are those of the best epoch."""
    rank = Rank("cpu", 1)
    job = Job(
        data=str(data),
        folder=str(folder),
        task={"name": name},
        values=values,
        metric=metric,
        maximize=metric != "loss",
    )
    reached = rank.start(job)
    while reached < values["training/epochs"]:
        reached = rank.epoch().epoch
    rank.stop()
    return rank


def language_model(scratch: Path, rows: Rows) -> Rank:
    """One that has read all questions, but for a tenth that chooses the epoch."""
    folder = scratch / "stream"
    folder.mkdir()
    (folder / "questions.txt").write_text("".join(f"{text}\n" for _, text in rows))
    data = {"train": "questions.txt", "validation": 0.1}
    name = "language_modelling"
    return train(folder / "trial", prepared(folder, {"name": name}, data, 0), name, STREAM, "loss")


def labelled(scratch: Path, rows: Rows, test: Rows, seed: int) -> Path:
    """A tenth of the questions with their labels, and all of the test."""
    folder = scratch / f"seed-{seed}"
    folder.mkdir()
    write(folder / "train.ft", random.Random(seed).sample(rows, round(SHARE * len(rows))))
    kinds = {line.split()[0] for line in (folder / "train.ft").read_text().splitlines()}
    write(folder / "test.ft", [row for row in test if row[0] in kinds])
    data = {"train": "train.ft", "test": "test.ft", "validation": 0.2}
    return prepared(folder, {"name": "classification"}, data, seed)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="where the sets' files lie")
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    train_rows, test_rows = (
        read(options.data / TREC / f"TREC.{part}") for part in ("train", "test")
    )
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        stream = language_model(scratch, train_rows)
        assert stream._trial is not None
        (fit,) = stream._trial.fits
        print(f"language model: {stream.evaluate('validation')['perplexity']:.1f} perplexity")
        weights = (scratch / "stream" / "trial" / "best.safetensors").read_bytes()
        scores: dict[str, list[float]] = {"scratch": [], "transfer": []}
        for seed in range(options.seeds):
            data = labelled(scratch, train_rows, test_rows, seed)
            place(data, "lm").parent.mkdir()
            place(data, "lm").write_bytes(weights)
            write_words(words_of(data, "lm"), fit.task.words())
            for arm, source in (("scratch", ""), ("transfer", "lm")):
                values = {**CLASSES, "training/seed": seed, "transfer/source": source}
                rank = train(data.parent / arm, data, "classification", values, "accuracy")
                scores[arm].append(rank.evaluate("test")["accuracy"])
            print(seed, {arm: round(found[-1], 4) for arm, found in scores.items()}, flush=True)
    gains = [b - a for a, b in zip(scores["scratch"], scores["transfer"], strict=True)]
    result = {
        "what": "accuracy on TREC's test questions with a tenth of the labels",
        "scores": scores,
        "mean": {arm: statistics.mean(found) for arm, found in scores.items()},
        "std": {arm: statistics.stdev(found) for arm, found in scores.items()},
        "gain": {"mean": statistics.mean(gains), "std": statistics.stdev(gains)},
    }
    target = HERE / "results" / "scores" / "trec_transfer.json"
    target.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
