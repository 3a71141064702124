"""How long a user waits for the first training step.

    python benchmarks/start.py [--repeats 7]

1. `tuner sweep SPEC`, from the command's beginning to its first optimizer step: reading the spec,
   preparing the data, Ray, a lane, the first trial.
2. The least that any such platform must do: a script that starts Ray and has an actor import torch
   and take one step. Both are processes of their own, from nothing but a warm file cache.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure
import peers
import work

OPTIMIZER = '''
"""Adam, which writes down when its first step begins."""
import time
from pathlib import Path
from tuner.training.optimizers import adam

FIRST = Path(__file__).with_name("first")


class Config(adam.Config):
    name: str = "clock:adam"


def build(config, parameters):
    optimizer = adam.build(config, parameters)
    optimizer.register_step_pre_hook(note)
    return optimizer


def note(*step):
    if not FIRST.exists():
        FIRST.write_text(str(time.time()))
'''
FLOOR = """
import sys, time, ray
ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)

@ray.remote(num_cpus=1)
def first():
    import torch
    rnn = torch.nn.LSTM(8, 8, batch_first=True)
    optimizer = torch.optim.Adam(rnn.parameters())
    rnn(torch.zeros(32, 50, 8))[0].sum().backward()
    began = time.time()
    optimizer.step()
    return began

open(sys.argv[1], "w").write(str(ray.get(first.remote())))
ray.shutdown()
"""


def waited(command: list[str], first: Path) -> measure.Run:
    """Seconds from a command's beginning to the time that it leaves in a file."""
    first.unlink(missing_ok=True)
    began = time.time()
    done = subprocess.run(command, env=peers.environment(), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return measure.Run(float(first.read_text(encoding="utf-8")) - began)


def lines(options: argparse.Namespace, folder: Path) -> list[measure.Line]:
    """The wait and its ratio to the least."""
    (folder / "clock.py").write_text(OPTIMIZER, encoding="utf-8")
    script = folder / "floor.py"
    script.write_text(FLOOR, encoding="utf-8")
    data, spec, first = folder / "train.parquet", folder / "start.yaml", folder / "first"
    work.write_data(data, 200, work.STEPS)
    parameters = {"optimizer/name": "clock:adam", "training/epochs": 1}
    section = {
        "name": "start",
        "task": work.TASK["name"],
        "data": {"train": str(data), "id": "id", "target": "label"},
        "space": {"parameters": parameters | {"optimizer/lr": {"float": [1e-3, 1e-2]}}},
        "search": {"trials": 1},
    }
    spec.write_text(json.dumps(section), encoding="utf-8")
    home = folder / "home"

    def ours() -> measure.Run:
        name = f"start-{time.time_ns()}"
        tuner = [sys.executable, "-m", "tuner", "--home", str(home), "sweep", str(spec)]
        return waited([*tuner, "--name", name], first)

    runs = measure.interleave(
        ours, lambda: waited([sys.executable, str(script), str(first)], first), options.repeats
    )
    return [
        measure.figure(
            "from the command to the first training step",
            [run.cost for run in runs[0]],
            unit="s",
            aim="≤ 12",
        ),
        measure.ratio(
            "the same ÷ Ray's start and one actor that imports torch",
            runs,
            aim="≤ 1.5",
            names=("tuner sweep", "Ray and torch"),
        ),
    ]


def main() -> None:
    """Measures and prints."""
    options = measure.options(__doc__, repeats=(7, 3))
    os.environ.pop("RAY_ADDRESS", None)
    with tempfile.TemporaryDirectory() as scratch:
        found = lines(options, Path(scratch))
    measure.write("start", found, options)


if __name__ == "__main__":
    main()
