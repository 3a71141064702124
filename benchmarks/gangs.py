"""Ratio 7: two ranks against one, and the start of a trial on a warm gang.

    python benchmarks/gangs.py [--epochs 3] [--repeats 10] [--trials 20]

1. Epochs of the same trial by one rank and by two, in warm processes that meet through gloo; an
   LSTM of 128 units and batches of 256, so that each rank's share fills its core. Ranks follow one
   curve, so their losses are compared too.
2. A sweep with `workers: 2` over trials that train next to nothing: seconds from the end of one
   trial to the end of the next, with all that a start takes.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure
import work

SEQUENCES = 2560
HIDDEN, BATCH = 128, 256


def rank(number: int, size: int, folder: Path, data: Path, pipe: Any) -> None:
    """Trains so many epochs as often as it is told to."""
    from tuner.training.rank import Rank

    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    lane = Rank("cpu", 1)
    if size > 1:
        lane.join(number, size, f"file://{folder}/meet")
    values = {
        "model/hidden_size": HIDDEN,
        "training/batch_size": BATCH,
        "training/epochs": 10_000,
    }
    lane.start(work.job(data, folder / f"of-{size}", values, "loss"))
    while epochs := pipe.recv():
        for _ in range(epochs):
            report = lane.epoch()
        pipe.send(report.metrics["loss"])
    lane.leave()


def gang(size: int, folder: Path, data: Path, epochs: int) -> tuple[Callable[[], measure.Run], Any]:
    """A way to time some epochs of a warm gang, and one to end it."""
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for number in range(size):
        ours, theirs = context.Pipe()
        process = context.Process(target=rank, args=(number, size, folder, data, theirs))
        process.start()
        pipes.append(ours)
        processes.append(process)

    def run(num: int = epochs) -> measure.Run:
        begin = time.perf_counter()
        for pipe in pipes:
            pipe.send(num)
        losses = [pipe.recv() for pipe in pipes]
        return measure.Run(time.perf_counter() - begin, losses[0])

    def end() -> None:
        for pipe in pipes:
            pipe.send(0)
        for process in processes:
            process.join()

    run(1)
    return run, end


def starts(folder: Path, trials: int) -> list[float]:
    """Seconds from one trial's end to the next one's on one gang of two."""
    from cluster.connect import connected
    from tuner import Sweep
    from tuner.results.live import Silent

    ends: list[float] = []

    class Clock(Silent):
        def ended(self, *told: Any) -> None:
            ends.append(time.perf_counter())

    data = folder / "nothing.parquet"
    work.write_data(data, 40, 1)
    spec = folder / "starts.yaml"
    work.write_spec(spec, data, trials=trials, epochs=1, hidden=1, workers=2)
    with connected():
        board = Sweep.from_file(spec, home=folder / "home").run(Clock())
    assert set(board.counts()) == {"COMPLETE"}, board.counts()
    return [after - before for before, after in itertools.pairwise(ends)]


def main() -> None:
    """Measures and prints."""
    options = measure.options(__doc__, epochs=(3, 1), repeats=(10, 6), trials=(40, 20))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        work.write_data(folder / "train.parquet", SEQUENCES, work.STEPS)
        data = work.prepare(folder, folder / "data", {"train": "train.parquet"})
        (one, end_one), (two, end_two) = (
            gang(size, folder, data, options.epochs) for size in (1, 2)
        )
        runs = measure.interleave(two, one, options.repeats)
        end_one()
        end_two()
        lines = [
            measure.ratio(
                "rows per second of two ranks ÷ of one",
                runs,
                aim="≥ 1.8",
                names=("two ranks", "one rank"),
                tolerance=1e-4,
                inverse=True,
            ),
            measure.figure(
                "a no-op trial on a warm gang of two",
                starts(folder, options.trials),
                unit="s",
                aim="≤ 0.3",
            ),
        ]
    measure.write("gangs", lines, options)


if __name__ == "__main__":
    main()
