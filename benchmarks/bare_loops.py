"""Ratio 1: many short trials through a sweep, over the same trainings as bare loops.

    python benchmarks/bare_loops.py [--trials 200] [--repeats 5]

An LSTM of 64 units, batches of 32, 50 steps, some 2 s a trial on one core. Both arms fill the same
two slots and start their own processes, which import torch, on the clock. Ray is already started;
the sweep counts from reading its spec to its last record in MLflow.
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import measure
import work


def main() -> None:
    """Measures and prints."""
    options = measure.options(
        __doc__, trials=(200, 40), repeats=(5, 5), epochs=(work.EPOCHS, work.EPOCHS)
    )
    from cluster.connect import connected

    with tempfile.TemporaryDirectory() as scratch, connected():
        folder, numbers = Path(scratch), itertools.count()
        data = folder / "train.parquet"
        work.write_data(data, work.SEQUENCES, work.STEPS)

        def sweep() -> measure.Run:
            name = f"sweep-{next(numbers)}.yaml"
            spec = work.write_spec(
                folder / name, data, trials=options.trials, epochs=options.epochs
            )
            return work.sweep(spec, folder / "home")

        runs = measure.interleave(
            sweep,
            lambda: work.bare_loops(data, options.trials, options.epochs),
            options.repeats,
        )
    line = measure.ratio(
        f"wall of {options.trials} trials through a sweep ÷ as bare loops",
        runs,
        aim="≤ 1.05",
        names=("sweep", "bare loops"),
        tolerance=0.02,
    )
    measure.write("bare_loops", [line], options)


if __name__ == "__main__":
    main()
