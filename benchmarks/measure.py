"""Two arms in one run on one machine: interleaved, repeated, with an interval and a check.

The arms alternate as A B B A A B B A …, so that a machine that grows slower or faster harms both
alike. A line is the median of its repeats with a bootstrap interval; beside it stands A/A, the
baseline's odd repeats over its even ones, which shows how far the machine alone moves a ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("ray", "torch", "optuna", "mlflow", "numpy", "pyarrow")
A_A = (0.97, 1.03)
"""Where the A/A line must lie for a ratio to count."""
_RESAMPLES = 4000
_SEED = 0


@dataclass(frozen=True)
class Run:
    """One run of one arm."""

    cost: float
    """What is divided: mostly seconds."""
    quality: float | None = None
    """What the run reached; a ratio counts only where both arms reached the same."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row of the table."""

    what: str
    value: float
    low: float
    high: float
    """Ends of the 95 % bootstrap interval."""
    unit: str = ""
    aim: str
    """An operator and a number, such as `≤ 1.05`."""
    a_a: float | None = None
    quality: str = ""
    """How the arms' equal quality was checked, and what came out."""
    equal: bool = True
    """Whether that check passed."""
    arms: dict[str, list[float]] = field(default_factory=dict)
    """Costs of every repeat."""

    @property
    def met(self) -> bool:
        """Whether the aim is reached, by arms of equal quality."""
        operator, number = self.aim.split()
        reached = self.value <= float(number) if operator == "≤" else self.value >= float(number)
        return reached and self.equal


def interleave(
    arm: Callable[[], Run], base: Callable[[], Run], repeats: int
) -> tuple[list[Run], list[Run]]:
    """The runs of both arms, taken as A B B A A B B A …"""
    runs: tuple[list[Run], list[Run]] = ([], [])
    for repeat in range(repeats):
        for which in (0, 1) if repeat % 2 == 0 else (1, 0):
            runs[which].append((arm, base)[which]())
        pair = " : ".join(f"{side[-1].cost:.4g}" for side in runs)
        print(f"  {repeat + 1}/{repeats}  {pair}", file=sys.stderr, flush=True)
    return runs


def ratio(
    what: str,
    arms: tuple[Sequence[Run], Sequence[Run]],
    *,
    aim: str,
    names: tuple[str, str],
    tolerance: float | None = None,
    inverse: bool = False,
) -> Line:
    """Cost of the first arm over the second's, or the inverse where more is better.

    Args:
        tolerance: the medians of both arms' qualities must lie no further apart; None where
            there is nothing to compare.
    """
    costs = [[run.cost for run in runs] for runs in arms]
    if inverse:
        costs.reverse()

    def of(pairs: Sequence[tuple[float, float]]) -> float:
        return statistics.median(a for a, _ in pairs) / statistics.median(b for _, b in pairs)

    value, low, high = _interval(list(zip(*costs, strict=True)), of)
    base = [run.cost for run in arms[1]]
    quality, equal = "", True
    if tolerance is not None:
        reached = [statistics.median(_known(run.quality) for run in runs) for runs in arms]
        equal = abs(reached[0] - reached[1]) <= tolerance
        quality = f"{reached[0]:.4g} against {reached[1]:.4g}, {tolerance:g} allowed"
    return Line(
        what=what,
        value=value,
        low=low,
        high=high,
        unit="×",
        aim=aim,
        a_a=statistics.median(base[::2]) / statistics.median(base[1::2]) if base[1:] else None,
        quality=quality,
        equal=equal,
        arms={name: [run.cost for run in runs] for name, runs in zip(names, arms, strict=True)},
    )


def figure(
    what: str,
    values: Sequence[float],
    *,
    unit: str,
    aim: str,
    arms: dict[str, list[float]] | None = None,
) -> Line:
    """The median of repeated measurements of one thing; `arms` are what they were made from."""
    value, low, high = _interval(list(values), statistics.median)
    return Line(what=what, value=value, low=low, high=high, unit=unit, aim=aim, arms=arms or {})


def timed(act: Callable[[], Any]) -> float:
    """Wall seconds of a call."""
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


def options(
    doc: str, *, only: Sequence[str] = (), **defaults: tuple[int, int]
) -> argparse.Namespace:
    """The command line of a benchmark: each number as (in full, with --short).

    Args:
        only: parts of the benchmark that can be run alone.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    if only:
        parser.add_argument("--only", nargs="+", choices=only, default=list(only))
    parser.add_argument("--short", action="store_true", help="what `make bench` runs")
    for name, numbers in defaults.items():
        help = "{}; {}".format(*numbers)
        parser.add_argument(f"--{name.replace('_', '-')}", type=_positive, help=help)
    chosen = parser.parse_args()
    for name, numbers in defaults.items():
        if getattr(chosen, name) is None:
            setattr(chosen, name, numbers[chosen.short])
    return chosen


def write(name: str, lines: Sequence[Line], settings: argparse.Namespace) -> None:
    """Prints the lines and keeps them as `results/NAME.json` with all that is needed to repeat."""
    for line in lines:
        print(f"{name}: {told(line)}")
        if line.a_a is not None and not A_A[0] <= line.a_a <= A_A[1]:
            print(f"  the machine moved: A/A is {line.a_a:.3f}", file=sys.stderr)
    RESULTS.mkdir(exist_ok=True)
    found = {
        "benchmark": name,
        "settings": vars(settings),
        **origin(),
        "lines": [asdict(line) for line in lines],
    }
    text = json.dumps(found, indent=1, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def origin() -> dict[str, Any]:
    """When, of what, and on which machine something was measured."""
    return {
        "when": time.strftime("%Y-%m-%d"),
        "commit": _commit(),
        "machine": {
            "cpu": _cpu(),
            "cores": len(os.sched_getaffinity(0)),
            "python": platform.python_version(),
            **{package: version(package) for package in PACKAGES},
        },
    }


def told(line: Line) -> str:
    """One line in words."""
    unit = f" {line.unit}" if line.unit not in ("", "×") else line.unit
    met = "met" if line.met else "missed"
    a_a = f", A/A {line.a_a:.3f}" if line.a_a is not None else ""
    quality = f", quality {line.quality}" if line.quality else ""
    interval = f"{line.low:.4g} … {line.high:.4g}"
    return f"{line.what}: {line.value:.4g}{unit} ({interval}), aim {line.aim}: {met}{a_a}{quality}"


def _interval(values: list[Any], of: Callable[[Any], float]) -> tuple[float, float, float]:
    """A statistic with the ends of its 95 % bootstrap interval."""
    draw = random.Random(_SEED)
    found = sorted(of(draw.choices(values, k=len(values))) for _ in range(_RESAMPLES))
    return of(values), found[int(0.025 * _RESAMPLES)], found[int(0.975 * _RESAMPLES)]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1; got {number}")
    return number


def _known(quality: float | None) -> float:
    assert quality is not None, "a tolerance needs qualities"
    return quality


def _commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=RESULTS.parent, capture_output=True, text=True)
        return done.stdout.strip()

    return git("rev-parse", "--short", "HEAD") + (
        "+" if git("status", "--porcelain", "-uno") else ""
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
