"""A job of Slurm: one allocation that makes its own cluster, and ends with it."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from cluster.jobs.job import Job, Phase
from cluster.refused import Refused
from cluster.spec import SlurmJob

_SECONDS = 30
_WAITING = {"PENDING", "CONFIGURING", "REQUEUED", "RESIZING", "SUSPENDED"}
_RUNNING = {"RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT"}


def version() -> str:
    """Slurm's version.

    Raises:
        Refused: there is no Slurm here, or its controller does not answer.
    """
    return _run("scontrol", "ping") and _run("sbatch", "--version").strip()


def partition(spec: SlurmJob) -> str:
    """The nodes that a job may have, in a few words.

    Raises:
        Refused: there is no such partition, or it has too few nodes.
    """
    where = ["--partition", spec.partition] if spec.partition else []
    lines = _run("sinfo", "--noheader", *where, "--format", "%D %c %a").split("\n")
    found = [line.split() for line in lines if line.strip()]
    name = f"partition {spec.partition}" if spec.partition else "all partitions"
    nodes = sum(int(number) for number, _, up in found if up == "up")
    if nodes < spec.nodes:
        raise Refused(
            "`nodes` must be in the partition",
            f"{spec.nodes} where {name} has {nodes}",
            f"Ask for {nodes} or fewer, or name another `partition`; `sinfo` lists them.",
            code="cluster/slurm-nodes",
            where="the cluster file",
        )
    return f"{nodes} nodes in {name}"


def submit(script: Path) -> Job:
    """Queues a script.

    Raises:
        Refused: there is no Slurm here, or it takes no such job.
    """
    said = _run("sbatch", "--parsable", str(script))
    return Job(kind="slurm", id=said.partition(";")[0].strip(), place=socket.gethostname())


def phase(job: Job) -> Phase:
    """How far a job is; one that Slurm no longer knows has ended."""
    try:
        said = _run("squeue", "--noheader", "--jobs", job.id, "--format", "%T").strip()
    except Refused as refused:
        if "Invalid job id" in refused.got:
            return Phase.ENDED
        raise
    if said in _WAITING:
        return Phase.WAITING
    return Phase.RUNNING if said in _RUNNING else Phase.ENDED


def stop(job: Job) -> None:
    """Asks a running job to stop in order; one that waits is struck off."""
    running = phase(job) is Phase.RUNNING
    _run("scancel", *(["--batch", "--signal=TERM"] if running else []), job.id)


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    except FileNotFoundError:
        raise Refused(
            "Slurm's commands must be installed where `tuner` runs",
            f"no `{command[0]}`",
            "Run it on a login node of the cluster.",
            code="cluster/no-slurm",
            where="this machine",
        ) from None
    except subprocess.TimeoutExpired:
        done = subprocess.CompletedProcess(command, 1, "", f"no answer in {_SECONDS} s")
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise Refused(
            "Slurm must take what it is asked",
            lines[-1] if lines else f"exit status {done.returncode} of `{command[0]}`",
            "Mend the cluster file; `sinfo` shows what there is.",
            code="cluster/slurm",
            where=command[0],
        )
    return done.stdout
