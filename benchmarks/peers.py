"""Ratios 3 and 3b: trials per hour against hand-written sweeps with Ray Tune.

    python benchmarks/peers.py [--trials 40] [--documented 8] [--repeats 5] [--only PART …]

The same LSTM, data, epochs and rates, no stopping, every report in MLflow on SQLite. Each arm is a
process of its own in `peers/`, with a Ray of two CPUs that is started before its clock. The clock
runs from the sweep's beginning to its last record in MLflow. Ours imports what a sweep needs on
the clock; the peers have imported it before. Ours also prepares the data, keeps checkpoints and
can be resumed; the peers do nothing of the kind.

- documented: a TorchTrainer inside Tune, as Ray's guides teach it, with one worker or two;
- expert: a function trainable, reused actors, pinned threads, Ray's MLflow callback over MLflow's
  asynchronous queue; and the same with a tracking thread of the expert's own.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import measure
import work

SCRIPTS = Path(__file__).parent / "peers"
PARTS = {
    "documented": ("documented", 1, "≥ 15"),
    "documented-2": ("documented", 2, "≥ 15"),
    "expert": ("expert", 1, "≥ 2.5"),
    "expert-thread": ("expert", 1, "≥ 1"),
}
"""Script, workers of a trial, and aim."""
TOLERANCE, TOLERANCE_OF_FEW = 0.05, 0.15
"""A mean over two trials rests on two draws of initial weights."""
TIMEOUT_S = 3600


def environment() -> dict[str, str]:
    """What every arm runs in: one thread a process, and a Ray of its own with a token, whatever
    cluster may have left its address on this machine.
    """
    paths = [str(SCRIPTS.parent), str(SCRIPTS.parent.parent), os.environ.get("PYTHONPATH", "")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ADDRESS": "local",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }


def run(script: str, data: Path, folder: Path, more: list[str], **numbers: int) -> measure.Run:
    """One sweep in a process of its own: seconds a trial, and mean accuracy."""
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), "--data", data, "--folder", folder]
    command += more
    for name, number in numbers.items():
        command += [f"--{name}", str(number)]
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=TIMEOUT_S
    )
    if done.returncode:
        raise SystemExit(f"{script} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["trials"] == numbers["trials"], told
    return measure.Run(told["seconds"] / told["trials"], told["accuracy"])


def line(part: str, options: argparse.Namespace, data: Path, folder: Path) -> measure.Line:
    """One comparison."""
    script, workers, aim = PARTS[part]
    trials = options.documented if script == "documented" else options.trials
    own = ["--own-thread"] if part == "expert-thread" else []

    def arm(script: str, trials: int, more: list[str]) -> Callable[[], measure.Run]:
        numbers = {"trials": trials, "epochs": options.epochs, "workers": workers}
        return lambda: run(script, data, folder / script, more, **numbers)

    print(f"{part}: seconds a trial, ours : theirs", file=sys.stderr)
    runs = measure.interleave(
        arm("ours", options.trials, []), arm(script, trials, own), options.repeats
    )
    kind = f"{script} script's" + (" with its own tracking thread" if own else "")
    return measure.ratio(
        f"trials per hour ÷ the {kind}, {workers} worker{'s' * (workers > 1)}",
        runs,
        aim=aim,
        names=(f"ours, s a trial of {options.trials}", f"{script}, s a trial of {trials}"),
        tolerance=TOLERANCE if trials >= 8 else TOLERANCE_OF_FEW,
        inverse=True,
    )


def main() -> None:
    """Measures and prints."""
    options = measure.options(
        __doc__,
        only=list(PARTS),
        trials=(40, 12),
        documented=(8, 2),
        repeats=(5, 2),
        epochs=(work.EPOCHS, work.EPOCHS),
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data = folder / "train.parquet"
        work.write_data(data, work.SEQUENCES, work.STEPS)
        for part in options.only:
            # Each part takes minutes, and may be measured alone: it has a file of its own.
            measure.write(f"peers-{part}", [line(part, options, data, folder)], options)


if __name__ == "__main__":
    main()
