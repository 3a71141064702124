"""The honest winner, the whole way: killed amid its fresh seeds, resumed, shown and compared."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import made
import optuna
import pytest
from command import ENVIRONMENT, tuner, write_spec

from tuner.errors import CommandError
from tuner.repeats import Repeats
from tuner.results.compare import Difference, compare
from tuner.sweep import Sweep
from tuner.tracking.reader import runs
from tuner.tracking.uri import local_uri

BOUND = "parameters <= 10000"
"""Any LSTM of 64 units is larger, and any of 8 is smaller."""


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def killed_at_the_first_seed(folder: Path) -> list[dict[str, Any]]:
    """Runs the sweep on one CPU, and kills it as soon as one fresh seed is over."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tuner", "sweep", "small.yaml", "--json"],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),
    )
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        told.append(json.loads(line))
        if told[-1]["event"] == "seed":
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.read()
    process.wait(timeout=60)
    assert told[-1]["event"] == "seed", told[-3:]
    return told


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """A folder in which a sweep was killed and resumed, and what it told."""
    folder = tmp_path_factory.mktemp("winner")
    made.sequences_csv(folder / "rows.csv", num=90)
    write_spec(
        folder / "small.yaml",
        override={
            "model/hidden_size": [4, 8, 64],
            "model/layers": 1,
            "model/cell": "lstm",
            "training/epochs": 3,
            "training/batch_size": 16,
        },
        search={
            "objectives": ["accuracy", "parameters", "latency_ms"],
            "constraints": [BOUND],
            "trials": 6,
            "seed": 3,
            "confirm": 2,
            "seeds": 2,
        },
    )
    told = killed_at_the_first_seed(folder)
    done = tuner("resume", "small", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, [*told, *events(done.stdout)]


def board(folder: Path) -> dict[str, Any]:
    return Sweep.open("small", home=folder / "sweeps").leaderboard().to_json()


def test_no_seed_is_trained_twice(sweep: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, told = sweep
    seeds = [(event["trial"], event["seed"]) for event in told if event["event"] == "seed"]
    kept = Repeats.read(folder / "sweeps" / "small")
    expected = {(trial, seed) for trial in kept.candidates for seed in (1, 2)}
    assert len(kept.candidates) == 2 and kept.seeds == (1, 2)
    assert sorted(seeds) == sorted(expected)
    assert all(kept.of(trial)[seed].test for trial, seed in expected)
    assert not list((folder / "sweeps" / "small" / "trials").glob("*/seeds"))


def test_the_winner_has_the_best_mean(sweep: tuple[Path, list[dict[str, Any]]]) -> None:
    found = board(sweep[0])
    first, second = found["trials"][:2]
    assert found["confirmed"] and found["objectives"] == ["accuracy", "parameters", "latency_ms"]
    assert first["mean"] >= second["mean"] and first["low"] <= first["mean"] <= first["high"]
    assert first["seeds"] == second["seeds"] == 2 and first["tie"] in (True, False)
    assert first["test"] is not None and first["test_mean"] is not None
    finished = sweep[1][-1]
    assert (finished["event"], finished["best"]["trial"]) == ("finished", first["trial"])
    (parent,) = [r for r in runs(local_uri(sweep[0] / "sweeps"), "small") if r.key == "sweep"]
    assert parent.metrics["best/mean"] == first["mean"]


def test_what_breaks_a_bound_is_not_trained(sweep: tuple[Path, list[dict[str, Any]]]) -> None:
    wide = [t for t in board(sweep[0])["trials"] if t["model/hidden_size"] == 64]
    assert wide, "another seed is needed for one to be tried"
    for trial in wide:
        assert (trial["state"], trial["rank"], trial["epochs"]) == ("INFEASIBLE", None, 0)
        assert trial["reason"] == f"{BOUND} does not hold: {trial['parameters']:.6g}"
        assert trial["violated"] == BOUND and not trial["pareto"]


def test_the_front_is_marked(sweep: tuple[Path, list[dict[str, Any]]]) -> None:
    ranked = [t for t in board(sweep[0])["trials"] if t["rank"]]
    assert all(trial["latency_ms"] > 0 for trial in ranked)
    best = max(t["value"] for t in ranked)
    assert any(t["pareto"] for t in ranked if t["value"] == best)
    smallest = min(t["parameters"] for t in ranked)
    assert any(t["pareto"] for t in ranked if t["parameters"] == smallest)


def test_events_tell_the_sweep(sweep: tuple[Path, list[dict[str, Any]]]) -> None:
    told = sweep[1]
    assert {event["version"] for event in told} == {1}
    trials = [event["trial"] for event in told if event["event"] == "trial"]
    assert sorted(trials) == sorted(t["trial"] for t in board(sweep[0])["trials"])
    last = [event for event in told if event["event"] == "trial"][-1]
    assert (last["ended"], last["total"]) == (6, 6) and last["trials_per_minute"] > 0


def test_optuna_opens_the_study_as_it_is(sweep: tuple[Path, list[dict[str, Any]]]) -> None:
    file = sweep[0] / "sweeps" / "small" / "study.db"
    study = optuna.load_study(study_name="sweep", storage=f"sqlite:///{file}")
    assert study.metric_names == ["accuracy", "parameters", "latency_ms"]
    front = {t["trial"] for t in board(sweep[0])["trials"] if t["pareto"]}
    assert {trial.number for trial in study.best_trials} == front


def test_trials_are_compared(sweep: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, home = sweep[0], sweep[0] / "sweeps"
    first, second = (f"small:{t['trial']}" for t in board(folder)["trials"][:2])
    found = json.loads(tuner("compare", first, second, "--format", "json", cwd=folder).stdout)
    assert found["data"] == [] and found["configuration"]
    assert "over fresh seeds" in found["verdict"]
    same = tuner("compare", first, first, cwd=folder).stdout
    assert "configuration: nothing differs" in same and "data: nothing differs" in same
    with pytest.raises(CommandError, match="both sides must be sweeps"):
        compare("small", first, home=home)
    with pytest.raises(CommandError, match="There are 0 to 5"):
        compare(first, "small:99", home=home)


def test_more_may_be_confirmed_later(sweep: tuple[Path, list[dict[str, Any]]]) -> None:
    folder = sweep[0]
    before = Repeats.read(folder / "sweeps" / "small")
    # As where hours, not trials, have ended the search.
    budget = {"trials": 60, "hours": 0.5, "confirm": 2}
    (folder / "sweeps" / "small" / "budget.json").write_text(json.dumps(budget))
    done = tuner("resume", "small", "--confirm", "3", cwd=folder)
    assert done.returncode == 0, done.stderr
    after = Repeats.read(folder / "sweeps" / "small")
    assert len(after.candidates) == 3 and after.complete
    assert all(after.trained[number] == before.trained[number] for number in before.trained)
    assert done.stderr.count(" on seed ") == 2, "only what was missing"
    assert "fresh seeds" in done.stdout and "winner:" in done.stdout
    assert len(board(folder)["trials"]) == 6, "the search is over"


def test_sweeps_are_compared(sweep: tuple[Path, list[dict[str, Any]]]) -> None:
    """With a copy of itself, which then learns from other data under another seed."""
    folder = sweep[0]
    other = folder / "sweeps" / "other"
    shutil.copytree(folder / "sweeps" / "small", other)
    spec = json.loads((other / "spec.json").read_text()) | {"name": "other"}
    (other / "spec.json").write_text(json.dumps(spec))
    same = compare("small", "other", home=folder / "sweeps")
    assert (same.configuration, same.data) == ((), ())
    assert "nothing tells them apart" in same.verdict
    spec["search"]["seed"] = 9
    (other / "spec.json").write_text(json.dumps(spec))
    card = json.loads((other / "data" / "card.json").read_text())
    card["files"][0]["sha256"] = "0" * 64
    (other / "data" / "card.json").write_text(json.dumps(card))
    found = compare("small", "other", home=folder / "sweeps")
    assert found.configuration == (Difference(what="search/seed", one=3, other=9),)
    assert [(d.what, d.other) for d in found.data] == [("file rows.csv", "0" * 12)]
    assert Difference(what="trials", one=6, other=6) in found.scores
    assert found.verdict == "the data differ, so their scores do not compare"
