"""A sweep through a real Slurm: queued, stopped in order, resumed to its end."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import made
import pytest
import slurm_node
import yaml
from command import ENVIRONMENT, tuner, write_spec
from heads import ROOT

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(slurm_node.missing()), reason=slurm_node.missing() or ""),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("slurm")
    made.sequences_csv(folder / "rows.csv", num=150)
    override = {"model/hidden_size": [4, 8, 12, 16], "model/layers": 1, "training/epochs": 40}
    search = {"trials": 30, "seed": 3, "scheduler": "none"}
    write_spec(folder / "small.yaml", override=override, search=search)
    spec = {
        "kind": "slurm",
        "time": "0:20:00",
        "cpus_per_node": os.cpu_count(),
        "token_file": str(folder / "token"),
        "python": sys.executable,
        "setup": [f"export PYTHONPATH={ROOT} OMP_NUM_THREADS=1"],
    }
    (folder / "lab.yaml").write_text(yaml.safe_dump(spec))
    with slurm_node.slurm() as config, pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENVIRONMENT, "SLURM_CONF", str(config))
        yield folder


def run(*arguments: str, folder: Path) -> str:
    done = tuner(*arguments, cwd=folder)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_a_sweep_is_queued_stopped_and_resumed(folder: Path) -> None:
    said = run("sweep", "small.yaml", "--cluster", "lab.yaml", "--detach", folder=folder)
    assert "runs as Slurm job" in said
    deadline = time.monotonic() + 240
    while "trial 0: COMPLETE" not in (said := run("logs", "small", folder=folder)):
        assert time.monotonic() < deadline, said
        time.sleep(1)
    assert "running" in run("status", folder=folder)
    assert "has stopped" in run("stop", "small", folder=folder)
    assert "`tuner resume small` goes on" in run("logs", "small", folder=folder)
    run("resume", "small", "--cluster", "lab.yaml", "--detach", folder=folder)
    said = run("logs", "small", "--follow", folder=folder)
    assert "30 trials (" in said and said.count("trial 0: COMPLETE") == 1
    assert "finished" in run("status", folder=folder)
    secret = (folder / "token").read_text()
    assert secret not in said and secret not in (folder / "sweeps/small/slurm.sh").read_text()


def test_what_slurm_cannot_give_is_refused_at_once(folder: Path, tmp_path: Path) -> None:
    spec = yaml.safe_load((folder / "lab.yaml").read_text())
    (folder / "many.yaml").write_text(yaml.safe_dump(spec | {"nodes": 3}))
    done = tuner("cluster", "check", "many.yaml", "--json", cwd=folder)
    assert done.returncode == 1
    assert "cluster/slurm-nodes" in done.stdout and "cluster/no-storage" in done.stdout
    (folder / "other.yaml").write_text(yaml.safe_dump(spec | {"partition": "long"}))
    begun = time.monotonic()
    arguments = ("sweep", "small.yaml", "--name", "other", "--cluster", "other.yaml", "--detach")
    done = tuner(*arguments, cwd=folder)
    assert done.returncode == 2 and "long" in done.stderr and "Traceback" not in done.stderr
    assert time.monotonic() - begun < 60
    assert not (folder / "sweeps" / "other").exists()
