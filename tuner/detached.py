"""Sweeps that run on without whoever started them: `--detach`, `tuner logs`, `tuner stop`.

What runs is always `tuner resume` on a sweep that was checked and prepared in the foreground, so
that mistakes are met at the terminal. On this machine it is a process of its own; on a cluster it
is a job of Ray or of Slurm.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.jobs import Job, Phase, process, ray, slurm
from cluster.launch.slurm import script as script_of
from cluster.refused import Refused
from cluster.spec import ClusterSpec, ExistingRay, SlurmJob, SshHosts
from cluster.token import make_token, place_of, read_token
from tuner import lock
from tuner.cluster_file import told
from tuner.errors import ClusterError, CommandError, Mistake, NotStarted
from tuner.files import write_text

if TYPE_CHECKING:
    from tuner.sweep import Sweep

LOG = "sweep.log"
"""What a detached sweep says, in its folder."""
_JOB = "job.json"
_SCRIPT = "slurm.sh"
_START_SECONDS, _STOP_SECONDS, _PAUSE = 30.0, 60.0, 0.2


_MODULES = {"process": process, "ray": ray, "slurm": slurm}


def is_meant(sweep: Sweep, asked: bool) -> bool:
    """Whether a sweep runs as a job: because it was asked for, or because Slurm has no other."""
    return asked or isinstance(sweep.cluster, SlurmJob)


def start(sweep: Sweep, more: Sequence[str] = ()) -> str:
    """Lets a prepared sweep run on by itself; gives what to tell the user.

    Args:
        more: further arguments of `tuner resume`.

    Raises:
        ClusterError: the cluster takes no jobs, or not from us.
        CommandError: the sweep runs already.
        NotStarted: it ended at once; with its last words.
    """
    name, cluster = sweep.spec.name, sweep.cluster
    with lock.held(sweep.folder, name):
        pass
    if (waiting := standing(sweep))[0] in ("waiting", "starting"):
        raise _refused(name, "waiting", "not be started twice", waiting[1], f"`tuner stop {name}`")
    arguments = ["-m", "tuner", "resume", name, "--home", str(sweep.home.path), *more]
    with _refusals():
        match cluster:
            case ExistingRay() | SshHosts():
                job = ray.submit(
                    ray.job_server(cluster),
                    [cluster.python, *arguments],
                    name=f"{name}-{secrets.token_hex(4)}",
                    environment=_addresses(),
                )
            case SlurmJob():
                script = script_of(cluster, name, arguments, sweep.folder / LOG)
                write_text(sweep.folder / _SCRIPT, script)
                job = slurm.submit(sweep.folder / _SCRIPT)
            case _:
                job = _as_process(sweep, [sys.executable, *arguments])
    _keep(sweep.folder, job)
    return (
        f"{name!r} runs as {job}\n"
        f"see it:         tuner logs {name} --follow\n"
        f"stop it:        tuner stop {name}"
    )


def refuse(cluster: ClusterSpec) -> None:
    """Asks a cluster whether it takes jobs from us, before anything is made.

    Raises:
        ClusterError: it does not.
    """
    with _refusals():
        if isinstance(cluster, ExistingRay | SshHosts):
            ray.version(ray.job_server(cluster))
        elif isinstance(cluster, SlurmJob):
            make_token(place_of(cluster.token_file))
            read_token(cluster.token_file)
            slurm.partition(cluster)


def stop(sweep: Sweep) -> str:
    """Stops a sweep in order, detached or not; gives what to tell the user once it has stopped.

    Raises:
        CommandError: nothing runs, or it runs where no signal of ours reaches it.
        ClusterError: its job server does not answer.
    """
    name, job = sweep.spec.name, _kept(sweep.folder)
    holder = lock.holder(sweep.folder)
    with _refusals():
        if job is not None and job.kind != "process" and _phase(job) is not Phase.ENDED:
            _MODULES[job.kind].stop(job)
        elif holder is None:
            raise _refused(name, "not-running", "run", sweep.status, f"`tuner resume {name}`")
        elif holder.host != socket.gethostname():
            raise _refused(name, "elsewhere", "run here", str(holder), "this command there")
        elif not holder.pid:
            raise _refused(name, "starting", "have begun", "a process that starts", "it again")
        else:
            job = Job(kind="process", id=str(holder.pid), place=holder.host)
            process.stop(job)
        if not _soon(lambda: _is_over(sweep, job), _STOP_SECONDS):
            return f"{job} was asked to stop and still saves; `tuner stop {name}` ends it at once"
    if sweep.finished:
        return f"{name!r} had finished"
    return f"{name!r} has stopped; `tuner resume {name}` goes on"


def log(sweep: Sweep, *, follow: bool) -> Iterator[str]:
    """What a detached sweep has said, piece by piece; with `follow` until it ends.

    Raises:
        CommandError: it never ran detached.
        ClusterError: its job server does not answer.
    """
    job, told_so_far = _kept(sweep.folder), 0
    if job is None:
        name = sweep.spec.name
        raise _refused(name, "no-log", "have run detached", "no log", f"`tuner status {name}`")
    with _refusals():
        while True:
            # Asked first, so that nothing is missed that is said between the two.
            over = not follow or _phase(job) is Phase.ENDED
            text = ray.log(job) if job.kind == "ray" else _read(sweep.folder / LOG)
            yield text[told_so_far:]
            told_so_far = len(text)
            if over:
                return
            time.sleep(1.0)


def standing(sweep: Sweep) -> tuple[str, str]:
    """A sweep's status, and where it runs or waits to run; asks a cluster only if it must."""
    status, job = sweep.status, _kept(sweep.folder)
    if status == "running":
        holder = lock.holder(sweep.folder)
        remote = job is not None and job.kind != "process"
        return status, str(job if remote else holder or "")
    if status == "interrupted" and job is not None:
        try:
            phase = _phase(job)
        except Refused as refused:
            return status, f"{job}: {refused.got}"
        if phase is not Phase.ENDED:
            return ("waiting" if phase is Phase.WAITING else "starting"), str(job)
    return status, ""


def _as_process(sweep: Sweep, command: Sequence[str]) -> Job:
    """Starts it here, and waits until it holds the sweep's lock or has failed."""
    before = len(_read(sweep.folder / LOG))
    job = process.submit(command, sweep.folder / LOG)

    def begun() -> bool:
        return lock.holder(sweep.folder) is not None or process.phase(job) is Phase.ENDED

    _soon(begun, _START_SECONDS)
    if process.phase(job) is Phase.ENDED and not sweep.finished:
        words = _read(sweep.folder / LOG)[before:].strip()
        raise NotStarted(f"it ended at once: {words or 'without a word'}")
    return job


def _addresses() -> dict[str, str]:
    """What a job must know of this environment: addresses, which carry no secrets."""
    return {k: os.environ[k] for k in ("MLFLOW_TRACKING_URI",) if k in os.environ}


def _is_over(sweep: Sweep, job: Job) -> bool:
    return lock.holder(sweep.folder) is None and _phase(job) is Phase.ENDED


def _phase(job: Job) -> Phase:
    phase: Phase = _MODULES[job.kind].phase(job)
    return phase


def _keep(folder: Path, job: Job) -> None:
    write_text(folder / _JOB, json.dumps(asdict(job)))


def _kept(folder: Path) -> Job | None:
    path = folder / _JOB
    return Job(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _soon(holds: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not (true := holds()) and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    return true


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        raise ClusterError(told(refused)) from None


def _refused(name: str, code: str, must: str, got: str, instead: str) -> CommandError:
    mistake = Mistake(
        code=f"sweep/{code}",
        rule=f"the sweep must {must}",
        where=f"the sweep {name!r}",
        got=got,
        fix=f"Run {instead}.",
    )
    return CommandError(mistake)
