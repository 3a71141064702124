"""Sweeps on real data sets with published scores; what each of them reached.

    python benchmarks/scores.py SET --data FOLDER [--hours H] [--home FOLDER]

SET is a spec in `benchmarks/sets`; its files lie under FOLDER, outside this repository. Trials are
ranked on validation data. The winner, by its own seed and two fresh ones, and the untuned default
are scored on the test data once. An interrupted sweep goes on; the result is written to
`benchmarks/results/scores/SET.json`.
"""

from __future__ import annotations

import argparse
import json
import statistics
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from tuner import Leaderboard, Sweep
from tuner.home import Home
from tuner.results.live import Live

HERE = Path(__file__).parent
SEEDS = 2
"""Fresh ones for the winner, beside the trial's own."""


def settings(spec: dict[str, Any], data: Path) -> list[str]:
    """The spec's files, found under a folder, and the winner's fresh seeds."""
    files = {key: spec["data"].get(key) for key in ("train", "validation", "test")}
    found = [
        f"data/{key}={data.resolve() / file}"
        for key, file in files.items()
        if isinstance(file, str)
    ]
    found += [
        f"data/{key}={json.dumps([str(data.resolve() / file) for file in several])}"
        for key, several in files.items()
        if isinstance(several, list)
    ]
    return [*found, "search/confirm=1", f"search/seeds={SEEDS}"]


def summary(sweep: Sweep, board: Leaderboard, wall: float) -> dict[str, Any]:
    """All that a reader needs to judge the sweep."""
    best, default = board.best, board.default
    assert best is not None and best.test is not None and default is not None
    assert best.test_interval is not None, "its hours were too short for its seeds"
    seeds = [best.test, *best.test_interval.values]
    return {
        "set": board.name,
        "metric": board.metric,
        "maximize": board.maximize,
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


def _seconds(sweep: Sweep) -> float:
    """That its last run to the end took; 0 where none came there."""
    path = sweep.folder / "finished.json"
    if not path.exists():
        return 0.0
    seconds: float = json.loads(path.read_text(encoding="utf-8"))["seconds"]
    return seconds


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
    home, before = options.home, 0.0
    with Live() as live:
        if spec["name"] in Home(home).sweeps():
            sweep = Sweep.open(spec["name"], home=home)
            before = _seconds(sweep)
            board = sweep.resume(live, confirm=1)
        else:
            files = settings(spec, options.data)
            sweep = Sweep.from_file(path, home=home, settings=files, hours=options.hours)
            board = sweep.run(live)
    found = summary(sweep, board, before + _seconds(sweep))
    target = HERE / "results" / "scores" / f"{options.set}.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
