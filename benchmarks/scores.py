"""Sweeps on real data sets with published scores; what each of them reached.

    python benchmarks/scores.py SET --data FOLDER [--hours H] [--home FOLDER]

SET is a spec in `benchmarks/sets`; its files lie under FOLDER, outside this repository. Trials are
ranked on validation data. The winner, by its own seed and two more, and the untuned default are
scored on the test data once. An interrupted sweep goes on; the result is written to
`benchmarks/results/scores/SET.json`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from tuner import Leaderboard, Sweep
from tuner.home import Home
from tuner.results.leaderboard import Row
from tuner.results.live import Live

HERE = Path(__file__).parent
SEEDS = (1, 2)
"""Beside the trial's own, 0 unless its space says otherwise."""


def settings(spec: dict[str, Any], data: Path) -> list[str]:
    """The spec's files, found under a folder."""
    files = {key: spec["data"].get(key) for key in ("train", "validation", "test")}
    return [
        f"data/{key}={data.resolve() / file}"
        for key, file in files.items()
        if isinstance(file, str)
    ]


def retrained(sweep: Sweep, row: Row, seed: int) -> float:
    """The test score of a trial's configuration under another seed."""
    from tuner.training.finish import finish
    from tuner.training.rank import Rank

    folds = sweep.spec.data.model_dump()["validation"]
    refit = row.best_epoch if isinstance(folds, dict) and "folds" in folds else None
    with tempfile.TemporaryDirectory() as scratch:
        job = sweep.context.job(row.number, row.values | {"training/seed": seed}, refit)
        job = replace(job, folder=scratch)
        rank = Rank("cpu", sweep.spec.resources.cpus_per_worker)
        finish(rank, job, refit or job.values.get("training/epochs", row.epochs))
        return rank.evaluate("test")[sweep.spec.metric]


def summary(sweep: Sweep, board: Leaderboard, wall: float) -> dict[str, Any]:
    """All that a reader needs to judge the sweep."""
    best, default = board.best, board.default
    assert best is not None and best.test is not None and default is not None
    seeds = [best.test, *(retrained(sweep, best, seed) for seed in SEEDS)]
    return {
        "set": board.name,
        "metric": board.metric,
        "test": best.test,
        "test_seeds": seeds,
        "test_mean": statistics.mean(seeds),
        "test_std": statistics.stdev(seeds),
        "validation": best.value,
        "default": {"test": default.test, "validation": default.value},
        "baselines": [vars(baseline) for baseline in board.baselines],
        "trials": board.counts(),
        "minutes": round(wall / 60, 1),
        "seed": sweep.spec.search.seed,
        "versions": {name: version(name) for name in ("torch", "ray", "optuna")},
        "winner": {
            "trial": best.number,
            "best_epoch": best.best_epoch,
            "epochs": best.epochs,
            "seconds": round(best.seconds, 1),
            "values": dict(best.values),
        },
    }


def main() -> None:
    """Runs or resumes one sweep, and writes what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("set", choices=sorted(p.stem for p in (HERE / "sets").glob("*.yaml")))
    parser.add_argument("--data", type=Path, required=True, help="where the sets' files lie")
    parser.add_argument("--hours", type=float, help="instead of the spec's")
    parser.add_argument("--home", type=Path, help="where the sweep lies")
    options = parser.parse_args()

    path = HERE / "sets" / f"{options.set}.yaml"
    spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    home = options.home
    with Live() as live:
        if spec["name"] in Home(home).sweeps():
            sweep = Sweep.open(spec["name"], home=home)
            board = sweep.resume(live)
        else:
            files = settings(spec, options.data)
            sweep = Sweep.from_file(path, home=home, settings=files, hours=options.hours)
            board = sweep.run(live)
    wall = json.loads((sweep.folder / "finished.json").read_text(encoding="utf-8"))["seconds"]
    found = summary(sweep, board, wall)
    target = HERE / "results" / "scores" / f"{options.set}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
