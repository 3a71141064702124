"""Ratios 2 and 6: what a trial costs that trains next to nothing, and whether it stays so.

    python benchmarks/no_ops.py [--trials 1000] [--few 100] [--repeats 5]

1. N trials of one tiny epoch through a sweep on two lanes with MLflow on, and as many empty class
   trainables in Tune alone with reused actors: the whole wall time over N, and Tune's share of it.
2. The same sweep with N and with a tenth as many trials, the start of the lanes taken off both.
3. A suggestion of TPE after N trials.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure
import work


def tune_alone(trials: int, folder: Path) -> measure.Run:
    """Empty class trainables in Tune alone, the start of its actors included."""
    from ray import tune

    class Nothing(tune.Trainable):  # type: ignore[misc]
        def setup(self, config: dict[str, Any]) -> None: ...

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            return True

        def step(self) -> dict[str, Any]:
            return {"value": 0.0, "done": True}

        def save_checkpoint(self, checkpoint_dir: str) -> None: ...

        def load_checkpoint(self, checkpoint: Any) -> None: ...

    begin = time.perf_counter()
    tune.Tuner(
        tune.with_resources(Nothing, {"CPU": 1}),
        param_space={"x": tune.uniform(0, 1)},
        tune_config=tune.TuneConfig(
            num_samples=trials, max_concurrent_trials=work.SLOTS, reuse_actors=True
        ),
        run_config=tune.RunConfig(storage_path=str(folder / "tune"), verbose=0),
    ).fit()
    return measure.Run(time.perf_counter() - begin)


def sweeps(folder: Path) -> Callable[[int], tuple[measure.Run, measure.Run]]:
    """A sweep of so many no-ops: the whole of it, and from its first trial's end on."""
    from tuner.results.live import Silent

    class Clock(Silent):
        begin = 0.0

        def ended(self, *told: Any) -> None:
            self.begin = self.begin or time.perf_counter()

    data, numbers = folder / "nothing.parquet", itertools.count()
    work.write_data(data, 40, 1)

    def run(trials: int) -> tuple[measure.Run, measure.Run]:
        from tuner import Sweep

        begin = time.perf_counter()
        path = folder / f"no-ops-{next(numbers)}.yaml"
        work.write_spec(path, data, trials=trials, epochs=1, hidden=1)
        clock = Clock()
        board = Sweep.from_file(path, home=folder / "home").run(clock)
        end = time.perf_counter()
        assert set(board.counts()) == {"COMPLETE"}, board.counts()
        return measure.Run(end - begin), measure.Run(end - clock.begin)

    return run


def suggestions(trials: int, folder: Path) -> list[float]:
    """Milliseconds of the ten suggestions after so many trials, by TPE over eight parameters."""
    from search_spaces import Space, load
    from tuner.outcome import Outcome, State
    from tuner.search.config import SearchConfig
    from tuner.search.study import Search

    ranges = {
        f"model/x{i}": {"float": [0.001, 1.0], "log": True, "default": 0.01} for i in range(8)
    }
    space = Space.parse({"parameters": ranges}, load)
    search = Search(space, SearchConfig(sampler="tpe"), folder, "minimize", 1)
    found = []
    for number in range(trials + 10):
        begin = time.perf_counter()
        suggestion = search.ask()
        if number >= trials:
            found.append(1000 * (time.perf_counter() - begin))
        assert suggestion is not None
        value = sum((float(v) - 0.1) ** 2 for v in suggestion.values.values())
        search.tell(suggestion.number, Outcome(state=State.COMPLETE, value=value, reason=""))
    search.close()
    return found


def lines(options: argparse.Namespace, folder: Path) -> list[measure.Line]:
    """All of it."""
    run = sweeps(folder)
    many: list[measure.Run] = []
    few: list[measure.Run] = []

    def ours() -> measure.Run:
        few.append(measure.Run(run(options.few)[1].cost / options.few))
        whole, running = run(options.trials)
        many.append(measure.Run(running.cost / options.trials))
        return whole

    whole, alone = measure.interleave(
        ours, lambda: tune_alone(options.trials, folder), options.repeats
    )
    ours_ms, tune_ms = (
        [1000 * arm.cost / options.trials for arm in arms] for arms in (whole, alone)
    )
    shares = [a - b for a, b in zip(ours_ms, tune_ms, strict=True)]
    suggested = suggestions(options.trials, folder / "study")
    return [
        measure.figure(
            f"ours of a no-op trial of {options.trials}, beside Tune's "
            f"{statistics.median(tune_ms):.0f} ms (together {statistics.median(ours_ms):.0f} ms)",
            shares,
            unit="ms",
            aim="≤ 20",
            arms={"through a sweep": ours_ms, "Tune alone": tune_ms},
        ),
        measure.ratio(
            f"a no-op trial of {options.trials} ÷ of {options.few}",
            (many, few),
            aim="≤ 1.03",
            names=("many", "few"),
        ),
        measure.figure(
            f"a suggestion of TPE after {options.trials} trials", suggested, unit="ms", aim="≤ 1000"
        ),
    ]


def main() -> None:
    """Measures and prints."""
    options = measure.options(__doc__, trials=(1000, 200), few=(100, 50), repeats=(5, 5))
    from cluster.connect import connected

    with tempfile.TemporaryDirectory() as scratch, connected():
        folder = Path(scratch)
        (folder / "study").mkdir()
        found = lines(options, folder)
    measure.write("no_ops", found, options)


if __name__ == "__main__":
    main()
