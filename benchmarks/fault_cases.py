"""One way to disturb a sweep for each fault, at a moment or in a manner drawn from a seed.

Each takes a seed and an empty folder, and gives what came of it. See `faults.py`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before what lies among the tests, whose folders it makes known.
from fault_rig import ROOT, Machine, Result, ended, kill, ray_of, server, small, until, whole

# isort: split
import audit
import heads
from command import write_spec

POISONED = '''
import os, pathlib, time, torch, tuner


class Mine(torch.nn.Module):
    """Goes wrong in the way that its parameter says."""

    class Config(tuner.Config):
        width: int = 8
        poison: str = "none"

    def __init__(self, config, shape):
        super().__init__()
        self.rnn = torch.nn.GRU(shape.inputs, config.width, batch_first=True)
        self.head = torch.nn.Linear(config.width, shape.outputs)
        self.poison, self.steps = config.poison, 0
        place, _, _ = os.environ.get("HUNG", "").partition(",")
        # Made after it, which the other rank was not that is in the same step.
        self.later = bool(place) and pathlib.Path(place, "hung").exists()

    def forward(self, x_BTF, lengths_B):
        self.steps += self.training
        outputs, _ = self.rnn(x_BTF)
        found = self.head(outputs[torch.arange(x_BTF.shape[0]), (lengths_B - 1).clamp(min=0)])
        if self.training and "HUNG" in os.environ:
            self.hang()
        late = self.steps > 10
        if self.poison == "nan" or (self.poison == "late nan" and late):
            found = found * float("nan")
        if self.poison == "inf" or (self.poison == "late inf" and late):
            found = found + float("inf")
        if self.poison == "scored" and not self.training:
            found = found / 0.0
        return found

    def hang(self):
        """Stands still once, on one rank; afterwards notes the first step of the next attempt."""
        place, rank, step = os.environ["HUNG"].split(",")
        hung, again = pathlib.Path(place, "hung"), pathlib.Path(place, "again")
        if self.later:
            again.touch()
        elif torch.distributed.get_rank() == int(rank) and self.steps >= int(step):
            hung.touch()
            time.sleep(3600)
'''
UNREACHED = '''
"""Imported by every process: the first gang, or each, is told a place where nobody listens."""
import importlib.abc, importlib.machinery, os, pathlib, sys


def mislead(module):
    listen = module.Rank.listen

    def elsewhere(self, host, size):
        address = listen(self, host, size)
        once = pathlib.Path(os.environ["UNREACHED_ONCE"])
        if once.exists():
            return address
        if os.environ["UNREACHED_ALWAYS"] == "0":
            once.touch()
        return os.environ["UNREACHED"]

    module.Rank.listen = elsewhere


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "tuner.training.rank":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        run = spec.loader.exec_module
        spec.loader.exec_module = lambda module: (run(module), mislead(module))
        return spec


sys.meta_path.insert(0, Finder())
'''


def rank_killed(seed: int, folder: Path) -> Result:
    """F1: a rank of a gang of two is killed; the weights are those of an undisturbed trial."""
    from end_to_end.test_faults import GANG, descendants

    digests = []
    for disturbed in (False, True):
        place = folder / str(disturbed)
        place.mkdir()
        machine = Machine(place)
        write_spec(place / "small.yaml", **GANG)
        process = machine.start("sweep", "small.yaml")
        if disturbed:
            epoch = random.Random(seed).randint(3, 100)
            until(lambda m=machine, e=epoch: m.curve() >= e, process)  # type: ignore[misc]
            ranks = [pid for pid, name in descendants(process.pid).items() if "RankActor" in name]
            for pid in ranks:
                os.kill(pid, signal.SIGKILL)
        if ended(process) != 0:
            return machine.result(False, "the sweep failed")
        best = json.loads((machine.sweep() / "trials" / "0000" / "best.json").read_text())
        digests.append(best["sha256"])
    same = digests[0] == digests[1]
    return machine.result(same and len(ranks) == 1, f"killed in epoch {epoch}, same weights {same}")


def driver_killed(seed: int, folder: Path) -> Result:
    """F2: the driver is killed, and the sweep resumed."""
    machine = Machine(folder)
    small(folder)
    process = machine.start("sweep", "small.yaml")
    moment = random.Random(seed).uniform(3.0, 20.0)
    time.sleep(moment)
    process.kill()
    process.wait()
    over = machine.states() if (machine.sweep() / "spec.json").exists() else {}
    over = {number: state for number, state in over.items() if state != "RUNNING"}
    status = machine.go_on()
    well = status == 0 and whole(machine.states())
    return machine.result(well, f"killed after {moment:.1f} s, {len(over)} trials were over")


def node_lost(seed: int, folder: Path) -> Result:
    """F5: of three hosts one is cut off, or loses its raylet, in mid-epoch."""
    import hosts as labs  # tests/cluster/hosts.py
    from lost_hosts import measure

    if reason := labs.why_not():
        return Result(survived=False, note=f"not run: {reason}")
    fault = ("raylet", "link")[seed % 2]
    found = measure(fault, seed)
    well = found["status"] == 0 and found["epochs_repeated"] <= 1.05
    return Result(
        survived=well,
        note=f"{fault}: trains again after {found['seconds']} s, "
        f"{found['epochs_repeated']} epochs repeated",
        lost=found["lost"],
        doubled=found["doubled"],
        running=found["running"],
        left_behind=found["left_behind"],
    )


def cluster_lost(seed: int, folder: Path) -> Result:
    """F7: every process of Ray is killed; the sweep goes on on a new cluster."""
    machine = Machine(folder)
    small(folder)
    first, second = folder / "first", folder / "second"
    first.mkdir(), second.mkdir()
    with heads.head(first) as lab:
        process = machine.start("sweep", "small.yaml", "--cluster", str(lab.file))
        until(lambda: machine.curve() >= 3, process)
        moment = random.Random(seed).uniform(0.0, 6.0)
        time.sleep(moment)
        for pid in ray_of(lab.logs):
            kill(pid)
        status = ended(process, 180)
    with heads.head(second) as lab:
        resumed = machine.run("resume", "small", "--cluster", str(lab.file))
        well = resumed == 0 and whole(machine.states())
    return machine.result(
        well, f"lost {moment:.1f} s after epoch 3, the driver ended with {status}"
    )


def tracking_down(seed: int, folder: Path) -> Result:
    """F8: the MLflow server is away for 30 s."""
    (port,) = heads.free_ports(1)
    database = f"sqlite:///{folder / 'server.db'}"
    uri = f"http://127.0.0.1:{port}"
    machine = Machine(folder, MLFLOW_DATABASE=database)
    small(folder, tracking={"uri": uri})
    with server(folder, port, database):
        process = machine.start("sweep", "small.yaml")
        until(lambda: machine.curve() >= 3, process)
        moment = random.Random(seed).uniform(0.0, 4.0)
        time.sleep(moment)
    time.sleep(30)
    with server(folder, port, database):
        status = ended(process)
        synced = machine.run("sync", "small")
    well = status == 0 and synced == 0 and whole(machine.states())
    return machine.result(well, f"away from {moment:.1f} s after epoch 3 for 30 s")


def signalled(seed: int, folder: Path) -> Result:
    """F10: SIGINT or SIGTERM; then the sweep is resumed."""
    machine = Machine(folder)
    small(folder)
    which = (signal.SIGINT, signal.SIGTERM)[seed % 2]
    process = machine.start("sweep", "small.yaml")
    moment = random.Random(seed).uniform(2.0, 18.0)
    time.sleep(moment)
    process.send_signal(which)
    begun = time.monotonic()
    status = ended(process, 60)
    seconds = time.monotonic() - begun
    stayed = len(audit.processes(machine.mark))
    resumed = machine.go_on()
    orderly = status in (128 + which, 0) and seconds <= 30 and not stayed
    well = orderly and resumed == 0 and whole(machine.states())
    note = f"{which.name} after {moment:.1f} s: {status} in {seconds:.1f} s, {stayed} processes"
    return machine.result(well, note)


def not_finite(seed: int, folder: Path) -> Result:
    """F13: a loss or an output that is not finite; the trial never wins."""
    kinds = ("nan", "inf", "late nan", "late inf", "scored")
    kind = kinds[seed % len(kinds)]
    machine = Machine(folder)
    (folder / "mine.py").write_text(POISONED)
    space = {
        "model/name": "mine:Mine",
        "model/poison": {"choice": ["none", kind], "default": "none"},
        "training/epochs": 8,
        "optimizer/lr": 0.01,
    }
    search = {"trials": 2, "sampler": "grid", "scheduler": "none"}
    small(folder, space={"parameters": space}, override={}, search=search)
    status = machine.run("sweep", "small.yaml")
    states = machine.states() if status == 0 else {}
    well = states == {0: "COMPLETE", 1: "DIVERGED"}
    return machine.result(well, f"{kind}: {states}")


def hanging(seed: int, folder: Path) -> Result:
    """F14: one of two ranks stands still in a step; the limit is 20 s."""
    draw = random.Random(seed)
    rank, step = draw.randint(0, 1), draw.randint(5, 60)
    machine = Machine(folder, HUNG=f"{folder},{rank},{step}")
    (folder / "mine.py").write_text(POISONED)
    space = {"model/name": "mine:Mine", "training/epochs": 30, "optimizer/lr": 0.01}
    small(
        folder,
        space={"parameters": space},
        override={},
        search={"trials": 1},
        resources={"workers": 2, "stall_seconds": 20},
    )
    process = machine.start("sweep", "small.yaml")
    hung, again = folder / "hung", folder / "again"
    until(hung.exists, process)
    begun = time.monotonic()
    came = until(again.exists, process)
    seconds = time.monotonic() - begun
    status = ended(process)
    well = came and seconds <= 60 and status == 0
    return machine.result(well, f"rank {rank} in step {step}: trains again after {seconds:.0f} s")


def unreached(seed: int, folder: Path) -> Result:
    """F15: the ranks cannot meet: once, and they meet elsewhere; always, and it is named."""
    (closed,) = heads.free_ports(1)
    # One of a network for documents only: nothing answers, not even with a no.
    places = (f"tcp://127.0.0.1:{closed}", "tcp://192.0.2.1:9")
    place, always = places[seed % 2], seed % 5 >= 3
    hook = folder / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(UNREACHED)
    machine = Machine(
        folder,
        PYTHONPATH=f"{hook}{os.pathsep}{ROOT}",
        UNREACHED=place,
        UNREACHED_ONCE=str(folder / "once"),
        UNREACHED_ALWAYS=str(int(always)),
    )
    search = {"trials": 1, "scheduler": "none"}
    small(folder, search=search, resources={"workers": 2})
    begun = time.monotonic()
    status = machine.run("sweep", "small.yaml")
    seconds = time.monotonic() - begun
    named = "could not meet" in machine.said
    well = (status == 1 and named) if always else (status == 0 and (folder / "once").exists())
    note = f"{place}, {'always' if always else 'once'}: {status} after {seconds:.0f} s"
    return machine.result(well, note)


def impossible(seed: int, folder: Path) -> Result:
    """F16: what no machine here has is refused at once, and nothing is made."""
    wishes: tuple[dict[str, Any], ...] = (
        {"gpus_per_worker": 1, "workers": 8},
        {"workers": 12},
        {"cpus_per_worker": 4096},
        {"workers": {"min": 9, "max": 12}},
        {"gpus_per_worker": 0.5},
    )
    machine = Machine(folder)
    small(folder, resources=wishes[seed % len(wishes)])
    begun = time.monotonic()
    status = machine.run("sweep", "small.yaml")
    seconds = time.monotonic() - begun
    nothing = not (folder / "sweeps").exists()
    well = status == 2 and "[plan/impossible]" in machine.said and nothing and seconds <= 5
    return machine.result(well, f"{wishes[seed % len(wishes)]}: {status} after {seconds:.1f} s")


def two_sweeps(seed: int, folder: Path) -> Result:
    """F17: two sweeps of 8 trials on one MLflow, and one of them started twice."""
    machine = Machine(folder)
    names = ("left", "right")
    for name in names:
        small(folder, name=name)
        (folder / "small.yaml").rename(folder / f"{name}.yaml")
    started = [machine.start("sweep", f"{name}.yaml") for name in names]
    until((machine.sweep("left") / "lock").exists, started[0])
    time.sleep(random.Random(seed).uniform(0.5, 4.0))
    twice = machine.run("sweep", "left.yaml")
    refused = twice == 2 and "[sweep/running]" in machine.said
    statuses = [ended(process) for process in started]
    well = refused and statuses == [0, 0] and all(whole(machine.states(name)) for name in names)
    return machine.result(well, f"the third ended with {twice}", names)


CASES: dict[str, Callable[[int, Path], Result]] = {
    "F1": rank_killed,
    "F2": driver_killed,
    "F5": node_lost,
    "F7": cluster_lost,
    "F8": tracking_down,
    "F10": signalled,
    "F13": not_finite,
    "F14": hanging,
    "F15": unreached,
    "F16": impossible,
    "F17": two_sweeps,
}
