"""Where each second of a sweep goes: its lanes and its driver, sampled from outside.

    python benchmarks/where.py [--trials 200] [--epochs 5]

Needs py-spy (`pip install py-spy`). A sample counts for the innermost of the rows below that its
stack passes through; a process that waits is not sampled, so that what is missing to the wall time
is waiting. Prints a Markdown table; LOG.md keeps the last one.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import measure
import work

RATE = 100
LANE, DRIVER = "lanes", "driver"
ROWS = {
    LANE: (
        ("imports", ("_find_and_load",)),
        ("training: backward", ("_engine_run_backward", "backward (torch/_tensor")),
        ("training: forward", ("forward (tuner/models/network",)),
        ("training: loss", ("loss (tuner/tasks",)),
        ("training: optimizer", ("step (torch/optim", "profile_hook_step")),
        ("training: batches", ("take (tuner/training/batches",)),
        ("training: the rest of a step", ("step (tuner/training/fit",)),
        ("validation", ("evaluate (tuner/training/fit",)),
        ("checkpoints and best weights", ("write (tuner/training/checkpoint", "_remember_best")),
        ("the rest of an epoch", ("advance (tuner/training/trial",)),
        ("building a trial", ("start (tuner/training/rank",)),
        ("Ray and Tune", ("",)),
    ),
    DRIVER: (
        ("imports", ("_find_and_load",)),
        ("delivery to MLflow", ("_keep_sending",)),
        ("putting records on the disk", ("_keep_durable",)),
        ("the study: suggestions", ("ask (tuner/search/study",)),
        ("the study: results", ("tell (tuner/search/study", "epoch (tuner/search/study")),
        ("curves and records", ("(tuner/record",)),
        ("Ray and Tune", ("",)),
    ),
}


class Sampler(threading.Thread):
    """Attaches to lanes as they appear, and counts their samples when they have ended."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder = folder
        self.over = threading.Event()
        self.files: dict[int, Path] = {}
        self.samplers: list[subprocess.Popen[bytes]] = []

    def run(self) -> None:
        while not self.over.wait(0.1):
            for pid in _workers():
                if pid not in self.files:
                    self.attach(pid)

    def attach(self, pid: int) -> None:
        """Samples one process until it ends."""
        self.files[pid] = self.folder / f"{pid}.raw"
        line = ["py-spy", "record", "--pid", str(pid), "--rate", str(RATE), "--format", "raw"]
        line += ["--output", str(self.files[pid]), "--duration", "3600"]
        with open(self.folder / f"{pid}.log", "wb") as log:
            self.samplers.append(subprocess.Popen(line, stdout=log, stderr=log))

    def stop(self) -> None:
        """Has all samplers write what they have."""
        self.over.set()
        self.join()
        for sampler in self.samplers:
            sampler.send_signal(2)
        for sampler in self.samplers:
            sampler.wait(60)


def _workers() -> list[int]:
    """Ray's worker processes on this machine that belong to a lane or may become one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            name = path.read_bytes()
        except OSError:
            continue
        if b"LaneTrainable" in name or b"ray::ImplicitFunc" in name:
            found.append(int(path.parent.name))
    return found


def others() -> Counter[str]:
    """Seconds of CPU that Ray's own processes have used so far."""
    seconds: Counter[str] = Counter()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            name = (path / "comm").read_text(encoding="utf-8").strip()
            used = (path / "stat").read_text(encoding="utf-8").rpartition(") ")[2].split()[11:13]
        except OSError:
            continue
        if name in ("raylet", "gcs_server"):
            seconds[name] += sum(map(int, used)) / os.sysconf("SC_CLK_TCK")
    return seconds


def counted(path: Path, rows: tuple[tuple[str, tuple[str, ...]], ...]) -> Counter[str]:
    """Seconds of each row in one process."""
    seconds: Counter[str] = Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        stack, _, count = line.rpartition(" ")
        row = next(row for row, signs in rows if any(sign in stack for sign in signs))
        seconds[row] += int(count) / RATE
    return seconds


def main() -> None:
    """Samples and prints."""
    options = measure.options(__doc__, trials=(200, 40), epochs=(5, 5))
    from cluster.connect import connected

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data = folder / "train.parquet"
        work.write_data(data, work.SEQUENCES, work.STEPS)
        spec = work.write_spec(
            folder / "sweep.yaml", data, trials=options.trials, epochs=options.epochs
        )
        sampler = Sampler(folder)
        sampler.attach(os.getpid())
        time.sleep(1)
        with connected():
            sampler.start()
            before = others()
            run = work.sweep(spec, folder / "home")
            rest = others() - before
            sampler.stop()
        print(f"{options.trials} trials of {options.epochs} epochs in {run.cost:.1f} s\n")
        print("| process | what | seconds of CPU | share of the wall time |")
        print("|---|---|---|---|")
        for kind, rows in ROWS.items():
            pids = [p for p in sampler.files if (p == os.getpid()) == (kind == DRIVER)]
            total: Counter[str] = Counter()
            for pid in pids:
                total += counted(sampler.files[pid], rows)
            for row, _ in rows:
                share = total[row] / run.cost / max(len(pids), 1)
                print(f"| {kind} ({len(pids)}) | {row} | {total[row]:.1f} | {share:.1%} |")
            idle = 1 - sum(total.values()) / run.cost / max(len(pids), 1)
            print(f"| {kind} ({len(pids)}) | waiting | | {max(idle, 0):.1%} |")
        for kind, seconds in rest.items():
            print(f"| {kind} | everything | {seconds:.1f} | {seconds / run.cost:.1%} |")


if __name__ == "__main__":
    main()
