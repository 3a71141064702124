"""Launch files are as their golden copies, and no token stands where others look."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import golden_files
import pytest

from cluster.launch import slurm, ssh
from cluster.spec import SlurmJob, SshHosts

SWEEP = ["-m", "tuner", "resume", "vowels", "--home", "/shared/sweeps"]
LOG = Path("/shared/sweeps/vowels/sweep.log")


def allocation(**more: Any) -> SlurmJob:
    return SlurmJob(time="4:00:00", token_file="/home/me/.ray/auth_token", **more)


def hosts(**more: Any) -> SshHosts:
    return SshHosts(hosts=["10.0.0.1", "10.0.0.2"], python="/opt/tuner/bin/python", **more)


SCRIPTS = {
    "slurm-one-node.sh": slurm.script(allocation(), "vowels", SWEEP, LOG),
    "slurm-gpus.sh": slurm.script(
        allocation(
            nodes=4,
            cpus_per_node=16,
            gpus_per_node=2,
            memory_gb=64,
            partition="short",
            account="speech",
            setup=["module load cuda", "source /shared/tuner/bin/activate"],
        ),
        "vowels",
        SWEEP,
        LOG,
    ),
    "ssh-head.sh": ssh.start_script(hosts(), "10.0.0.1", "10.0.0.1", "10.0.0.1", "TOKEN"),
    "ssh-worker.sh": ssh.start_script(hosts(), "10.0.0.2", "10.0.0.2", "10.0.0.1", "TOKEN"),
    "ssh-stop.sh": ssh.stop_script(hosts(), "10.0.0.2"),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_is_as_it_was(name: str) -> None:
    golden_files.check(name, SCRIPTS[name])


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_shell_can_read_it(name: str) -> None:
    done = subprocess.run(["bash", "-n"], input=SCRIPTS[name], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_names_and_paths_are_quoted() -> None:
    text = slurm.script(allocation(), "vowels", [*SWEEP[:-1], "/shared/my $(sweeps)"], LOG)
    assert "'/shared/my $(sweeps)'" in text


def test_the_token_is_in_no_command_line() -> None:
    text = SCRIPTS["ssh-head.sh"]
    (line,) = [n for n, found in enumerate(text.splitlines()) if "TOKEN" == found]
    assert text.splitlines()[line - 1].startswith("cat >"), "it comes by a here-document only"
