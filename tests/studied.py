"""A search of made-up trials, without training: every kind of parameter and of end."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from search_spaces import Space
from tuner.context import trial_folder
from tuner.data.card import DataCard, DataFile, Lengths
from tuner.data.config import DataConfig
from tuner.data.layout import Layout
from tuner.outcome import Outcome, State
from tuner.results import curve
from tuner.results.leaderboard import Leaderboard
from tuner.results.report.findings import Findings
from tuner.search.config import SearchConfig
from tuner.search.records import TrialRecord
from tuner.spec import SweepSpec
from tuner.spec_file import ResourcesConfig, TrackingConfig

PARAMETERS: dict[str, Any] = {
    "model/cell": {"choice": ["lstm", "gru", "rnn"], "default": "lstm"},
    "model/layers": {"int": [1, 3], "default": 1},
    "model/hidden_size": {"int": [8, 256], "log": True, "multiple_of": 8, "default": 64},
    "model/join": {"choice": ["sum", "mean"], "default": "sum", "when": {"model/layers": 2}},
    "optimizer/lr": {"float": [1e-4, 1e-1], "log": True, "default": 1e-3},
    "training/clip_norm": {"float": [0.1, 10], "log": True, "or": 0, "default": 1},
    "training/batch_size": {"int": [16, 128], "power_of_2": True, "default": 32},
    "regularization/dropout": {"float": [0, 0.7], "default": 0},
    "training/epochs": 9,
}
LABELS = ("a", "b", "c")
REASONS = {State.DIVERGED: "`loss` is nan after epoch 3", State.FAILED: "made to fail"}


def spec(parameters: dict[str, Any] | None = None, **changes: Any) -> SweepSpec:
    """A sweep of classifiers."""
    space = Space.parse({"parameters": parameters or PARAMETERS}, lambda name: Space(parameters={}))
    given: dict[str, Any] = {
        "name": "made",
        "task": {"name": "classification"},
        "data": DataConfig(train="rows.csv"),
        "space": space,
        "search": SearchConfig(),
        "resources": ResourcesConfig(),
        "tracking": TrackingConfig(),
        "metric": "accuracy",
        "maximize": True,
        "root": Path("."),
    }
    return SweepSpec(**given | changes)


def records(spec: SweepSpec, num: int, folder: Path, *, epochs: int = 9) -> list[TrialRecord]:
    """Trials whose score depends on the learning rate most; curves lie in the sweep's folder."""
    random = Random(5)
    found = []
    begin = datetime(2026, 1, 1)
    for number in range(num):
        values = spec.space.defaults() if number == 0 else spec.space.sample(random)
        lr = float(values.get("optimizer/lr", 1e-3))
        top = 0.95 - 0.1 * abs(math.log10(lr) + 2) - 0.05 * (values.get("model/cell") == "rnn")
        state = State.COMPLETE
        if number and number % 2:
            state = State.PRUNED
        if number and number % 17 == 0:
            state = State.DIVERGED
        if number and number % 23 == 0:
            state = State.FAILED
        last = {State.COMPLETE: epochs, State.FAILED: 0}.get(state, max(1, epochs // 3))
        scores = [top * (1 - math.exp(-e / 2)) + random.gauss(0, 0.01) for e in range(1, last + 1)]
        if state is State.DIVERGED:
            scores[-1] = math.nan
        for epoch, score in enumerate(scores, 1):
            point = {"validation/accuracy": score, "train/loss": 2.3 * math.exp(-epoch / 3)}
            point |= {"validation/loss": 2.3 * math.exp(-epoch / 4) + 0.1}
            point |= {"train/grad_norm/total": 1 / epoch, "train/grad_norm/largest": 3 / epoch}
            curve.append(folder / trial_folder(number), epoch, point)
        good = [score for score in scores if math.isfinite(score)]
        outcome = Outcome(
            state=state,
            value=max(good) if good and state is not State.FAILED else None,
            best_epoch=1 + good.index(max(good)) if good else None,
            epochs=last,
            seconds=0.2 * last,
            reason=REASONS.get(state, "trained its epochs"),
            metrics={"accuracy": max(good)} if good else {},
        )
        ended = begin + timedelta(seconds=1.0 * number // 2 + 0.2 * last)
        rungs = {1: scores[0]} | ({3: max(good[:3])} if last >= 3 else {}) if good else {}
        record = TrialRecord(
            number=number, values=values, outcome=outcome, rungs=rungs, ended=ended
        )
        found.append(record)
    return found


def board(spec: SweepSpec, trials: Sequence[TrialRecord]) -> Leaderboard:
    """Ranked, beside a baseline; the first two are scored on test data."""
    baselines = {
        "validation": {"majority class": {spec.metric: 0.4}},
        "test": {"majority class": {spec.metric: 0.35}},
    }
    finals = {str(number): {spec.metric: 0.8} for number in (0, 1)}
    return Leaderboard.of(spec, trials, baselines=baselines, finals=finals)


def card(**changes: Any) -> DataCard:
    """What is known of the data."""
    given: dict[str, Any] = {
        "kind": "sequence",
        "features": ("x", "y"),
        "target_channels": (),
        "labels": LABELS,
        "vocabulary": (),
        "unseen": (),
        "target_vocabulary": (),
        "target_unseen": (),
        "num_folds": 0,
        "num_sequences": {"train": 40, "validation": 10, "test": 10},
        "num_steps": {"train": 400, "validation": 100, "test": 100},
        "num_missing": 0,
        "lengths": Lengths(minimum=1, median=5.0, maximum=9),
        "step_seconds": None,
        "layout": Layout(format="csv"),
        "files": (DataFile(path="rows.csv", split="train", sha256="ab" * 32, num_bytes=1234),),
        "warnings": (),
        "statistics": {},
    }
    return DataCard(**given | changes)


def confusion(folder: Path, labels: Sequence[str] = LABELS) -> None:
    """What the winner's task kept."""
    folder.mkdir(parents=True, exist_ok=True)
    counts = [
        [9 if r == c else (r + c) % 3 for c in range(len(labels))] for r in range(len(labels))
    ]
    rows = dict(zip(labels, counts, strict=True))
    data = {"about": "Sequences by class.", "columns": list(labels), "rows": rows}
    (folder / "test-confusion.json").write_text(json.dumps(data))


def findings(folder: Path, num: int, *, epochs: int = 9, **changes: Any) -> Findings:
    """All of it."""
    made = spec(**changes)
    trials = records(made, num, folder, epochs=epochs)
    ranked = board(made, trials)
    if ranked.best is not None:
        confusion(folder / trial_folder(ranked.best.number))
    return Findings.of(made, ranked, trials, card(), folder)
