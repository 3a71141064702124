"""Sweeps on several hosts, each with an address and a Ray node of its own; `make test-cluster`."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hosts
import made
import pytest
from command import write_spec
from hosts import Host, Lab

from tuner.results import curve

REASON = hosts.why_not()
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]

BATCH = 16
MODEL = '''
import os, pathlib, ray, time, torch, tuner


class Mine(torch.nn.Module):
    """Notes where it trains, with a dot for each step, and takes its time."""

    class Config(tuner.Config):
        width: int = 8
        seconds: float = 0.0

    def __init__(self, config, shape):
        super().__init__()
        self.rnn = torch.nn.GRU(shape.inputs, config.width, batch_first=True)
        self.head = torch.nn.Linear(config.width, shape.outputs)
        self.seconds = config.seconds

    def forward(self, x_BTF, lengths_B):
        if self.training and "NOTES" in os.environ:
            here = f"{ray.util.get_node_ip_address()}-{os.getpid()}"
            with open(pathlib.Path(os.environ["NOTES"], here), "a") as notes:
                notes.write(".")
            time.sleep(self.seconds)
        outputs, _ = self.rnn(x_BTF)
        return self.head(outputs[torch.arange(x_BTF.shape[0]), (lengths_B - 1).clamp(min=0)])
'''


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two hosts of one CPU each; a third one is there and runs no Ray yet."""
    with Lab((1, 1, 1)) as made_lab:
        notes = made_lab.folder / "notes"
        notes.mkdir()
        for host in made_lab.hosts:
            host.environment["NOTES"] = str(notes)
        # The specs lie on the head's own disk: no other host sees them.
        for host in made_lab.hosts[1:]:
            host.alone.append(made_lab.folder / "specs")
        (made_lab.folder / "specs").mkdir()
        (made_lab.folder / "storage").mkdir()
        made.sequences_csv(made_lab.folder / "specs" / "rows.csv", num=60)
        (made_lab.folder / "specs" / "mine.py").write_text(MODEL)
        for host in made_lab.hosts[:2]:
            made_lab.start(host)
        yield made_lab


def spec(lab: Lab, name: str, **changes: Any) -> Path:
    """A sweep of one trial on the model of this file."""
    own = {
        "space": {
            "parameters": {
                "model/name": "mine:Mine",
                "model/width": 8,
                "model/seconds": changes.pop("seconds", 0.0),
                "optimizer/lr": 0.01,
                "training/epochs": changes.pop("epochs", 4),
                "training/batch_size": BATCH,
            }
        },
        "override": {},
        "search": {"trials": 1, "seed": 3},
    }
    return write_spec(lab.folder / "specs" / f"{name}.yaml", **(own | changes))


def tuner(
    lab: Lab, *arguments: str, host: Host | None = None, timeout: float = 400
) -> subprocess.CompletedProcess[str]:
    return lab.run(
        host or lab.head,
        sys.executable,
        "-m",
        "tuner",
        *arguments,
        cwd=lab.folder / "specs",
        timeout=timeout,
    )


def sweep(
    lab: Lab, file: Path, *arguments: str, host: Host | None = None, **cluster: str
) -> subprocess.CompletedProcess[str]:
    """Runs a sweep on the lab; `cluster` replaces what its cluster file says."""
    place = lab.cluster_file(Path(cluster.pop("storage", str(lab.folder / "storage"))), **cluster)
    return tuner(lab, "sweep", str(file), "--cluster", str(place), *arguments, host=host)


def refused(lab: Lab, code: str, *parts: str, within: float = 60, **options: Any) -> str:
    """A sweep that is refused within seconds, and made nothing."""
    begin = time.monotonic()
    done = sweep(lab, spec(lab, "refused", **options.pop("spec", {})), **options)
    seconds = time.monotonic() - begin
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"[{code}]" in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert "gcs_client" not in done.stderr, "Ray's own lines are not for users"
    assert all(part in done.stderr for part in parts), done.stderr
    assert not (lab.folder / "storage" / "refused").exists()
    assert seconds < within, f"told after {seconds:.1f} s"
    return done.stderr


def test_nobody_listens_at_the_address(lab: Lab) -> None:
    gave = f"{lab.head.address}:1 gave Connection refused"
    refused(lab, "cluster/unreachable", gave, address=f"{lab.head.address}:1")


def test_no_host_has_the_address(lab: Lab) -> None:
    gone = lab.head.address.rpartition(".")[0] + ".99"
    refused(lab, "cluster/unreachable", f"{gone}:6379 gave", address=f"{gone}:6379")


def test_another_token(lab: Lab) -> None:
    other = lab.folder / "other-token"
    other.write_text("f" * 64)
    other.chmod(0o600)
    told = refused(lab, "cluster/token", "gave another one", token_file=str(other))
    assert "f" * 64 not in told


def test_a_host_that_is_no_node(lab: Lab) -> None:
    third = lab.hosts[2]
    third.alone.clear()
    try:
        refused(lab, "cluster/not-a-node", lab.head.address, host=third)
    finally:
        third.alone.append(lab.folder / "specs")


def test_what_can_never_fit(lab: Lab) -> None:
    told = "3 where 2 fit. Set it to 2 or less."
    refused(lab, "plan/impossible", told, spec={"resources": {"workers": 3}})
    gpu = {"resources": {"gpus_per_worker": 1}}
    refused(lab, "plan/impossible", "where no node has a GPU", spec=gpu)


def test_check_plans_on_the_cluster(lab: Lab) -> None:
    place = lab.cluster_file(lab.folder / "storage")
    file = spec(lab, "checked", resources={"workers": 2})
    done = tuner(lab, "check", str(file), "--cluster", str(place))
    assert done.returncode == 0, done.stderr
    assert "lanes      1 lane of 2 workers, 1 CPU each" in done.stdout


def test_lanes_on_both_hosts_and_code_that_only_one_has(lab: Lab) -> None:
    two = {"search": {"trials": 2, "seed": 3}, "override": {"optimizer/lr": [0.01, 0.02]}}
    done = sweep(lab, spec(lab, "both", seconds=1.0, **two))
    assert done.returncode == 0, done.stderr
    assert "training on 2 lanes of 1 worker" in done.stderr
    trained = {path.name.partition("-")[0] for path in (lab.folder / "notes").iterdir()}
    assert trained >= {host.address for host in lab.hosts[:2]}


EPOCHS = 8


@pytest.fixture(scope="module")
def one_rank(lab: Lab) -> dict[str, list[float]]:
    """The curve of one rank, undisturbed."""
    done = sweep(lab, spec(lab, "one", epochs=EPOCHS))
    assert done.returncode == 0, done.stderr
    found = curve.read(lab.folder / "storage" / "one" / "trials" / "0000")
    assert len(found["epoch"]) == EPOCHS
    return found


def test_two_ranks_across_hosts_follow_the_curve_of_one(
    lab: Lab, one_rank: dict[str, list[float]]
) -> None:
    done = sweep(lab, spec(lab, "two", epochs=EPOCHS, resources={"workers": 2}))
    assert done.returncode == 0, done.stderr
    two = curve.read(lab.folder / "storage" / "two" / "trials" / "0000")
    for metric in ("train/loss", "validation/loss", "validation/accuracy"):
        assert two[metric] == pytest.approx(one_rank[metric], rel=1e-5), metric


def test_a_shortage_is_told_and_ends(lab: Lab) -> None:
    """Somebody else holds a host; what needs both waits."""
    code = (
        "import ray, time; ray.init(address='auto', log_to_driver=False); "
        "a = ray.remote(num_cpus=1)(type('A', (), {'f': lambda self: 1})).remote(); "
        "ray.get(a.f.remote()); print('held', flush=True); time.sleep(120)"
    )
    said = lab.folder / "held"
    holder = lab.begin(
        lab.head, sys.executable, "-c", code, cwd=lab.folder, output=said, RAY_ADDRESS=lab.entry
    )
    try:
        wait_for(lambda: "held" in said.read_text(), 120)
        file = spec(lab, "short", resources={"workers": 2})
        done = sweep(lab, file, wait_seconds="14")
    finally:
        holder.kill()
        holder.wait()
    assert done.returncode == 1
    assert (
        "WAITING: `resources/workers` must fit on the nodes at once; free now: 2 where 1 fit"
        in (done.stderr)
    )
    assert "no room for a single trial within 14 s" in done.stderr
    place = lab.cluster_file(lab.folder / "storage")
    done = tuner(lab, "resume", "short", "--cluster", str(place))
    assert done.returncode == 0, done.stderr


def test_a_trial_goes_on_with_fewer_ranks_after_a_host_is_lost(
    lab: Lab, one_rank: dict[str, list[float]]
) -> None:
    """The second host is gone after it."""
    workers = {"min": 1, "max": 2}
    file = spec(lab, "fewer", resources={"workers": workers}, seconds=0.3, epochs=EPOCHS)
    place = lab.cluster_file(lab.folder / "storage")
    trial = lab.folder / "storage" / "fewer" / "trials" / "0000"
    output = lab.folder / "fewer.txt"
    command = ["-m", "tuner", "sweep", str(file), "--cluster", str(place)]
    process = lab.begin(lab.head, sys.executable, *command, cwd=file.parent, output=output)
    try:
        wait_for(lambda: process.poll() or len(curve.read(trial).get("epoch", [])) >= 2, 180)
        lab.kill_raylet(lab.hosts[1])
        assert process.wait(300) == 0, output.read_text()
    finally:
        process.kill()
        process.wait()
    said = output.read_text()
    assert "training on 1 lane of 2 workers" in said
    assert "room for 1 of a trial's 2 workers" in said
    assert "training on 1 lane of 1 worker" in said
    assert curve.read(trial)["train/loss"] == pytest.approx(one_rank["train/loss"], rel=1e-5)


def test_a_node_of_another_kind(lab: Lab) -> None:
    """Another torch, other code of ours, and a disk of its own: all told at once. Comes last, as
    Ray takes a while to forget a node that is gone."""
    third = lab.hosts[2]
    other = lab.folder / "other"
    for package in ("tuner", "cluster", "search_spaces"):
        shutil.copytree(hosts.ROOT / package, other / package)
    (other / "tuner" / "extra.py").write_text('"""One file more."""\n')
    (other / "torch-1.0.dist-info").mkdir()
    (other / "torch-1.0.dist-info" / "METADATA").write_text("Name: torch\nVersion: 1.0\n")
    third.environment["PYTHONPATH"] = str(other)
    third.alone.append(lab.folder / "storage")
    lab.start(third)
    where = f"node {third.address} gave"
    told = refused(lab, "cluster/version", f"{where} 1.0", where, "3 mistakes", within=120)
    assert "must have the torch of this machine" in told
    assert "must have the rnn-tuner of this machine" in told
    assert "must share the folder of sweeps" in told and "[cluster/storage]" in told
    lab.stop(third)


def wait_for(true: Any, seconds: float) -> float:
    """Seconds until something holds."""
    begin = time.monotonic()
    while not true():
        assert time.monotonic() - begin < seconds, "it never came"
        time.sleep(0.1)
    return time.monotonic() - begin
