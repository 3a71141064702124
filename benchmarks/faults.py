"""Sweeps that are disturbed at seeded moments, and what is left of them: results/faults.md.

    python benchmarks/faults.py [--faults F1,F13] [--times 5] [--seed 0]

Each fault is met so many times with seeds of its own. A fault that is run again replaces what is on
file of it; F5 needs root and network namespaces. All of them, five times, take about an hour on two
free cores.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fault_cases
import measure

FILE, PAGE = measure.RESULTS / "faults.json", measure.RESULTS / "faults.md"


def main() -> None:
    """Disturbs, prints, and keeps what came of it after each time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", default=",".join(fault_cases.CASES), help="of them all")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of the first time")
    options = parser.parse_args()
    wanted = options.faults.split(",")
    if unknown := set(wanted) - fault_cases.CASES.keys():
        parser.error(f"no fault is called {', '.join(sorted(unknown))}")
    kept = json.loads(FILE.read_text()) if FILE.exists() else {"faults": {}}
    for fault in wanted:
        rows: list[dict[str, Any]] = []
        for seed in range(options.seed, options.seed + options.times):
            rows.append(once(fault, seed))
            print(fault, json.dumps(rows[-1]), flush=True)
            kept["faults"][fault] = {"origin": measure.origin(), "times": rows}
            measure.RESULTS.mkdir(exist_ok=True)
            FILE.write_text(json.dumps(kept, indent=1) + "\n")
            PAGE.write_text(page(kept))


def once(fault: str, seed: int) -> dict[str, Any]:
    """One disturbance; what goes wrong with it is its own result."""
    case = fault_cases.CASES[fault]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fault-", ignore_cleanup_errors=True) as folder:
        try:
            result = case(seed, Path(folder))
        except Exception as broken:  # the other faults are still to be met
            told = f"the script broke: {type(broken).__name__}: {broken}"
            result = fault_cases.Result(survived=False, note=told)
    seconds = round(time.monotonic() - begun, 1)
    return {"seed": seed, "seconds": seconds} | asdict(result)


def page(kept: dict[str, Any]) -> str:
    """The table."""
    lines = [
        "Made by `benchmarks/faults.py`; each time's moment and outcome are in `faults.json`.",
        "",
        "| fault | | survived | metrics lost | metrics or runs doubled | runs left RUNNING | "
        "processes left behind |",
        "|---|---|---|---|---|---|---|",
    ]
    for fault, case in fault_cases.CASES.items():
        if (found := kept["faults"].get(fault)) is None:
            continue
        about = (case.__doc__ or "").partition(": ")[2].strip().rstrip(".")
        times = found["times"]
        sums = [sum(t[n] for t in times) for n in ("lost", "doubled", "running", "left_behind")]
        survived = f"{sum(t['survived'] for t in times)} of {len(times)}"
        lines.append(f"| {' | '.join([fault, about, survived, *map(str, sums)])} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
