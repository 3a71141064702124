"""A real Slurm of one node, this machine, from Debian's packages: started and ended by hand."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from heads import free_ports

_CONFIG = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller}
SlurmdPort={daemon}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
KillWait=30
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")


def missing() -> str | None:
    """Why there can be no Slurm here."""
    path = os.environ["PATH"] + ":/usr/sbin"
    absent = [name for name in _PROGRAMS if shutil.which(name, path=path) is None]
    if absent:
        return f"needs slurm-wlm and munge: {', '.join(absent)} absent"
    return None if os.getuid() == 0 else "Slurm's daemons need root"


@contextmanager
def slurm() -> Iterator[Path]:
    """Starts munge, the controller and the node's daemon; gives the configuration's path."""
    with tempfile.TemporaryDirectory(prefix="slurm-") as scratch:
        folder = Path(scratch)
        for name in ("state", "spool"):
            (folder / name).mkdir()
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        controller, daemon = free_ports(2)
        config = folder / "slurm.conf"
        config.write_text(
            _CONFIG.format(
                host=socket.gethostname(),
                folder=folder,
                controller=controller,
                daemon=daemon,
                cpus=os.cpu_count(),
            )
        )
        munge = [f"--{name}={folder}/munge.{name.split('-')[0]}" for name in ("socket", "key-file")]
        munge += [f"--{name}={folder}/munge.{name[:3]}" for name in ("log-file", "pid-file")]
        munge += [f"--seed-file={folder}/munge.seed"]
        environment = os.environ | {"SLURM_CONF": str(config)}
        started: list[subprocess.Popen[bytes]] = []
        try:
            for line in (
                ["/usr/sbin/munged", "--foreground", "--force", *munge],
                ["/usr/sbin/slurmctld", "-D", "-i"],
                ["/usr/sbin/slurmd", "-D"],
            ):
                with (folder / f"{Path(line[0]).name}.out").open("wb") as log:
                    process = subprocess.Popen(
                        line, env=environment, stdout=log, stderr=subprocess.STDOUT
                    )
                started.append(process)
                time.sleep(1.0)
            _wait(environment, folder)
            yield config
        finally:
            for process in reversed(started):
                process.terminate()
            for process in reversed(started):
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _wait(environment: dict[str, str], folder: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done = subprocess.run(
            ["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True
        )
        if done.stdout.strip() in ("idle", "mixed"):
            return
        time.sleep(0.5)
    logs = [path.read_text()[-1500:] for path in folder.glob("*.log")]
    raise AssertionError("\n".join(["no Slurm", done.stderr, *logs]))
