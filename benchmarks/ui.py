"""Seconds until MLflow's pages of a sweep of 200 trials show what they are opened for.

    pip install playwright && python benchmarks/ui.py [--trials 200] [--repeats 5] [--pictures DIR]

Each time in a new window of Debian's Chromium, whose cache is empty. An experiment without runs is
opened beside them: what MLflow's pages take by themselves. Writes `results/ui.json`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import measure

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import made  # noqa: E402
from browser import CHROMIUM  # noqa: E402
from command import tuner, write_spec  # noqa: E402
from heads import free_ports, wait_for  # noqa: E402

from tuner.tracking import ui  # noqa: E402
from tuner.tracking.reader import runs  # noqa: E402
from tuner.tracking.uri import local_uri  # noqa: E402

NAME = "two_hundred"
LIMIT_MS = 120_000
OUT = measure.RESULTS / "ui.json"


def main() -> None:
    """Makes the sweep, opens its pages in turn, and keeps the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--pictures", type=Path, help="where to put what was seen")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ui-") as folder:
        home = sweep(Path(folder), options.trials)
        with served(home) as address:
            places = pages(home, address)
            seconds: dict[str, list[float]] = {name: [] for name in places}
            for _ in range(options.repeats):
                for name, (place, shown) in places.items():
                    picture = options.pictures and options.pictures / f"{name}.png"
                    seconds[name].append(opened(place, shown, picture))
                    print(f"{name}: {seconds[name][-1]:.2f} s", flush=True)
    found = {
        "origin": measure.origin(),
        "settings": {"trials": options.trials, "repeats": options.repeats},
        "median seconds": {n: round(statistics.median(s), 2) for n, s in seconds.items()},
        "seconds": seconds,
    }
    OUT.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found["median seconds"], indent=1))


def sweep(folder: Path, trials: int) -> Path:
    """The home of a sweep of so many small trials, some stopped early."""
    made.sequences_csv(folder / "rows.csv", num=150)
    search = {"trials": trials, "seed": 3}
    write_spec(folder / f"{NAME}.yaml", search=search, override={"training/epochs": 8})
    done = tuner("sweep", f"{NAME}.yaml", cwd=folder, timeout=3000)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "sweeps"


@contextmanager
def served(home: Path) -> Iterator[str]:
    """The address of `tuner ui`."""
    (port,) = free_ports(1)
    with (home / "ui.log").open("wb") as log:
        server = subprocess.Popen(
            ui.command(home, port), env=ui.environment(), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        wait_for(port, server, home / "ui.log")
        yield f"http://{ui.HOST}:{port}"
    finally:
        server.terminate()
        server.wait()


def pages(home: Path, address: str) -> dict[str, tuple[str, str]]:
    """Page → its address, and a selector of what it is opened for."""
    tracked = runs(local_uri(home), NAME)
    (parent,) = [run.run_id for run in tracked if run.parent is None]
    trials = [run.run_id for run in tracked if run.parent is not None]
    asked = f"{address}/api/2.0/mlflow/experiments/get-by-name?experiment_name={NAME}"
    with urllib.request.urlopen(asked) as answer:
        experiment = json.load(answer)["experiment"]["experiment_id"]
    begin = f"{address}/#/experiments/{experiment}/runs"
    view = f"{begin}?viewStateShareKey=trials"
    compared = urllib.parse.quote(json.dumps([parent, *trials]))
    among = urllib.parse.quote(json.dumps([experiment]))
    row, plot = ".ag-row >> text=/trial/", ".js-plotly-plot"
    return {
        "empty": (f"{address}/#/experiments/0/runs", "text=/No runs/"),
        "list": (begin, row),
        "view": (view, row),
        "charts": (f"{view}&compareRunsMode=CHART", plot),
        "sweep": (f"{begin}/{parent}", "text=/All trials, best first/"),
        "trial": (f"{begin}/{trials[0]}", "text=/best\\//"),
        "compare": (f"{address}/#/compare-runs?runs={compared}&experiments={among}", plot),
    }


def opened(place: str, shown: str, picture: Path | None) -> float:
    """Seconds until a page in a new browser shows something, of which a picture may be kept."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        begun = time.perf_counter()
        page.goto(place)
        page.wait_for_selector(shown, timeout=LIMIT_MS)
        seconds = time.perf_counter() - begun
        if picture is not None:
            page.screenshot(path=picture)
        browser.close()
    return seconds


if __name__ == "__main__":
    main()
