"""What the machine has to train with: CPUs and threads, memory, devices, open files, ports."""

from __future__ import annotations

import os
import resource
import socket
from pathlib import Path

from cluster.connect import local_capacity
from tuner.doctor.finding import Finding, Patient
from tuner.errors import Mistake

_CGROUP = Path("/sys/fs/cgroup")
_LANE_BYTES = 600 * 2**20
"""What a lane takes before it has trained anything: torch, Ray and their libraries."""
_OPEN_FILES = 4096
_PORTS = {8265: "a cluster's job server", 5000: "`tuner ui`"}


def threads(patient: Patient) -> Finding:
    """CPUs this process may use, and what would start more threads than them."""
    cpus = len(os.sched_getaffinity(0))
    found = f"{cpus} CPUs"
    if (share := _cpu_share()) is not None and share < cpus:
        mistake = Mistake(
            code="doctor/cpu-limit",
            rule="a container's CPU limit should be as many CPUs as it shows",
            where=str(_CGROUP / "cpu.max"),
            got=f"{share:g} of {cpus} CPUs",
            fix=f"Run under `taskset --cpu-list 0-{max(int(share), 1) - 1}`, so that there are no "
            "more lanes than CPUs.",
        )
        return Finding(
            check="threads", found=f"{found}, limited to {share:g}", mistake=mistake, grave=False
        )
    return Finding(check="threads", found=f"{found}; each rank keeps to its own")


def memory(patient: Patient) -> Finding:
    """Memory that is free now, a container's limit included."""
    free, cpus = _free_bytes(), len(os.sched_getaffinity(0))
    found = f"{_gib(free)} free"
    if free >= cpus * _LANE_BYTES:
        return Finding(check="memory", found=found)
    lanes = int(free // _LANE_BYTES)
    mistake = Mistake(
        code="doctor/memory",
        rule=f"each lane should have {_gib(_LANE_BYTES)} before it trains",
        where="this machine",
        got=f"{_gib(free)} for {cpus} lanes",
        fix=f"Close other programs, or raise `resources/cpus_per_worker`: {max(lanes, 1)} lanes "
        "fit.",
    )
    return Finding(check="memory", found=found, mistake=mistake, grave=not lanes)


def devices(patient: Patient) -> Finding:
    """GPUs, and whether torch can use them; torch is imported only where there are some."""
    (node,) = local_capacity()
    if not node.gpus:
        return Finding(check="devices", found="no GPU; trials train on CPUs")
    import torch

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())]
        return Finding(check="devices", found=f"{', '.join(names)}; CUDA {torch.version.cuda}")
    built = f"torch {torch.__version__}, built for CUDA {torch.version.cuda or 'nowhere'}"
    mistake = Mistake(
        code="doctor/cuda",
        rule="torch should be able to use the GPUs that are there",
        where="this environment",
        got=built,
        fix="Install a torch built for CUDA and a driver that is new enough, or set "
        "CUDA_VISIBLE_DEVICES to nothing.",
    )
    found = f"{node.gpus:g} GPUs that torch cannot use"
    return Finding(check="devices", found=found, mistake=mistake, grave=False)


def open_files(patient: Patient) -> Finding:
    """How many files a process may open: Ray keeps some for each of its workers."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= _OPEN_FILES or soft == resource.RLIM_INFINITY:
        return Finding(check="open files", found=f"up to {soft}")
    mistake = Mistake(
        code="doctor/open-files",
        rule=f"a process should be allowed {_OPEN_FILES} open files",
        where="ulimit -n",
        got=str(soft),
        fix=f"Run `ulimit -n {min(_OPEN_FILES, hard)}` before the sweep."
        if hard >= _OPEN_FILES or hard == resource.RLIM_INFINITY
        else "Have the machine's limit raised in /etc/security/limits.conf.",
    )
    return Finding(check="open files", found=f"up to {soft}", mistake=mistake, grave=False)


def ports(patient: Patient) -> Finding:
    """Whether loopback works, and which of the ports that we use by default are taken."""
    try:
        with socket.create_server(("127.0.0.1", 0)):
            pass
    except OSError as error:
        mistake = Mistake(
            code="doctor/loopback",
            rule="processes must reach each other on 127.0.0.1",
            where="this machine",
            got=str(error),
            fix="Bring the loopback interface up: `ip link set lo up`.",
        )
        return Finding(check="ports", found="no loopback", mistake=mistake)
    taken = [port for port in _PORTS if not _is_free(port)]
    if not taken:
        return Finding(check="ports", found=", ".join(map(str, _PORTS)) + " are free")
    got = "; ".join(f"{port}, which {_PORTS[port]} takes by default" for port in taken)
    mistake = Mistake(
        code="doctor/ports",
        rule="the ports that we use by default should be free",
        where="127.0.0.1",
        got=f"{got}, in use",
        fix="Nothing, if that is ours; else give another, such as `tuner ui --port 5001`.",
    )
    found = f"{', '.join(map(str, taken))} in use"
    return Finding(check="ports", found=found, mistake=mistake, grave=False)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a port that was let go a moment ago counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _cpu_share() -> float | None:
    """CPUs that the container may use in the long run; None without a limit."""
    try:
        quota, period = (_CGROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else int(quota) / int(period)


def _free_bytes() -> float:
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free = float(lines["MemAvailable"].split()[0]) * 1024
    try:
        most = (_CGROUP / "memory.max").read_text().strip()
        used = float((_CGROUP / "memory.current").read_text())
    except OSError:
        return free
    return free if most == "max" else max(0.0, min(free, float(most) - used))


def _gib(number: float) -> str:
    return f"{number / 2**30:.1f} GiB"
