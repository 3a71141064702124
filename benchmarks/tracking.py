"""Ratio 4: what MLflow costs a sweep, and a report its caller.

    python benchmarks/tracking.py [--trials 40] [--repeats 5]

1. The same sweep of short trials with MLflow on SQLite, and offline, with the outbox alone.
2. One call that reports four metrics of an epoch, on its way to MLflow.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from pathlib import Path

import measure
import work

METRICS = ("train/loss", "train/lr", "validation/accuracy", "validation/loss")


def reports(folder: Path, num: int) -> list[float]:
    """Milliseconds of each of so many reports, to a tracker that delivers meanwhile."""
    from tuner.tracking.tracker import Tracker

    tracker = Tracker(f"sqlite:///{folder}/reports.db", "reports", folder / "reports")
    tracker.start()
    tracker.run("trial-0000", "trial-0000", None, {}, {})
    found = []
    for step in range(num):
        values = {name: step / (7 + i) for i, name in enumerate(METRICS)}
        begin = time.perf_counter()
        tracker.metrics("trial-0000", step, values)
        found.append(1000 * (time.perf_counter() - begin))
        # A fast trial's epoch: the sender works between the calls, and now and then in one.
        time.sleep(0.001)
    assert tracker.close(60), tracker.problem
    return found


def main() -> None:
    """Measures and prints."""
    options = measure.options(
        __doc__, trials=(40, 12), epochs=(10, 5), repeats=(5, 5), reports=(3000, 1000)
    )
    from cluster.connect import connected

    with tempfile.TemporaryDirectory() as scratch, connected():
        folder, numbers = Path(scratch), itertools.count()
        data = folder / "train.parquet"
        work.write_data(data, work.SEQUENCES, work.STEPS)

        def sweep(offline: bool) -> measure.Run:
            path = folder / f"sweep-{next(numbers)}.yaml"
            spec = work.write_spec(path, data, trials=options.trials, epochs=options.epochs)
            return work.sweep(spec, folder / "home", offline=offline)

        sweep(offline=False)
        runs = measure.interleave(lambda: sweep(False), lambda: sweep(True), options.repeats)
        called = reports(folder, options.reports)
    lines = [
        measure.ratio(
            f"wall of {options.trials} trials with MLflow ÷ without",
            runs,
            aim="≤ 1.02",
            names=("MLflow", "outbox alone"),
            tolerance=1e-6,
        ),
        measure.figure("a report of four metrics", called, unit="ms", aim="≤ 0.1"),
    ]
    measure.write("tracking", lines, options)


if __name__ == "__main__":
    main()
