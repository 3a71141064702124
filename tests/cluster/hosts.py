"""Hosts with addresses of their own on this machine: network namespaces on a bridge, as root.

Each host runs a real Ray node, shares the disk unless told otherwise, and can be cut off.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from command import ENVIRONMENT

from cluster.health import HEAD_ENVIRONMENT

ROOT = Path(__file__).parent.parent.parent
PORT = 6379
_OBJECT_STORE_BYTES = 80 * 2**20
_RAY = (sys.executable, "-m", "ray.scripts.scripts")


def why_not() -> str | None:
    """Why no hosts can be made here; None if they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "there is no `ip` (Debian: iproute2)"
    name = f"rtprobe{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode != 0:
        return f"no network namespaces: {made.stderr.strip()}"
    bridge = subprocess.run(
        ["ip", "-n", name, "link", "add", "probe", "type", "bridge"], capture_output=True, text=True
    )
    subprocess.run(["ip", "netns", "del", name], check=True)
    return None if bridge.returncode == 0 else f"no bridges: {bridge.stderr.strip()}"


@dataclass
class Host:
    """One network namespace."""

    name: str
    namespace: str
    address: str
    link: str
    """The bridge's end of its cable."""
    temp: Path
    """Where its Ray keeps sockets and logs."""
    alone: list[Path] = field(default_factory=list)
    """Folders that it does not share with the others: empty disks of its own."""
    environment: dict[str, str] = field(default_factory=dict)


class Lab:
    """Some hosts, and a Ray that spans them; leaves nothing behind.

    Args:
        cpus: of each host, the head first.
        memory: bytes of each host that processes may ask for; what the machine has if None.
    """

    def __init__(self, cpus: Sequence[int] = (1, 1), memory: int | None = None) -> None:
        self.cpus, self._memory = tuple(cpus), memory
        number = secrets.randbelow(200) + 20
        self._bridge = f"rtb{os.getpid()}"
        # Short, because a Unix socket's path may have 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="rt-", dir="/tmp"))
        self.token_file = self.folder / "token"
        self.token_file.touch(mode=0o600)
        self.token_file.write_text(secrets.token_hex(32))
        self.hosts = [
            Host(
                name=f"h{i}",
                namespace=f"rt{os.getpid()}h{i}",
                address=f"10.{number}.7.{i}",
                link=f"rt{os.getpid()}v{i}",
                temp=self.folder / f"h{i}",
            )
            for i in range(1, len(self.cpus) + 1)
        ]
        self.head = self.hosts[0]

    @property
    def entry(self) -> str:
        """Address of the head."""
        return f"{self.head.address}:{PORT}"

    def __enter__(self) -> Lab:
        try:
            _ip("link", "add", self._bridge, "type", "bridge")
            _ip("link", "set", self._bridge, "up")
            for host in self.hosts:
                self._wire(host)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def start(self, host: Host) -> None:
        """Starts Ray on a host: the head of the cluster, or a node that joins it."""
        cpus = self.cpus[self.hosts.index(host)]
        place = (
            ["--head", f"--port={PORT}", "--include-dashboard=false"]
            if host is self.head
            else [f"--address={self.entry}"]
        )
        done = self.run(
            host,
            *_RAY,
            "start",
            *place,
            f"--node-ip-address={host.address}",
            f"--temp-dir={host.temp}",
            f"--num-cpus={cpus}",
            *([f"--memory={self._memory}"] if self._memory else []),
            f"--object-store-memory={_OBJECT_STORE_BYTES}",
            "--disable-usage-stats",
            **HEAD_ENVIRONMENT,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start_all(self) -> None:
        """Starts Ray on every host."""
        for host in self.hosts:
            self.start(host)

    def run(
        self, host: Host, *command: str, timeout: float = 400, cwd: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command on a host to its end; `more` is added to its environment."""
        return subprocess.run(
            self._on(host, command),
            cwd=cwd,
            env=self._environment(host, more),
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def begin(
        self, host: Host, *command: str, cwd: Path, output: Path, **more: str
    ) -> subprocess.Popen[bytes]:
        """Starts a command on a host; what it says goes to a file."""
        with output.open("wb") as file:
            return subprocess.Popen(
                self._on(host, command),
                cwd=cwd,
                env=self._environment(host, more),
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def cluster_file(self, storage: Path | str, **changes: str) -> Path:
        """A cluster file for this lab; `changes` replace its keys."""
        said = {
            "kind": "ray",
            "address": self.entry,
            "token_file": str(self.token_file),
            "storage": str(storage),
        } | changes
        path = self.folder / f"lab-{secrets.token_hex(4)}.yaml"
        path.write_text("".join(f"{key}: {value}\n" for key, value in said.items()))
        return path

    def cut(self, host: Host) -> None:
        """Takes a host's cable out."""
        _ip("link", "set", host.link, "down")

    def mend(self, host: Host) -> None:
        """Puts a host's cable in again."""
        _ip("link", "set", host.link, "up")

    def kill_raylet(self, host: Host) -> None:
        """Kills a host's raylet and nothing else."""
        for pid in self.processes(host):
            if command_of(pid).partition(" ")[0].endswith("/raylet"):
                os.kill(pid, signal.SIGKILL)

    def processes(self, host: Host) -> list[int]:
        """Everything that runs on a host."""
        done = subprocess.run(
            ["ip", "netns", "pids", host.namespace], capture_output=True, text=True
        )
        return [int(pid) for pid in done.stdout.split()]

    def stop(self, host: Host) -> None:
        """Kills all that runs on a host."""
        for _ in range(50):
            if not (found := self.processes(host)):
                return
            for pid in found:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.1)

    def _wire(self, host: Host) -> None:
        _ip("netns", "add", host.namespace)
        inner = f"{host.link}i"
        _ip("link", "add", host.link, "type", "veth", "peer", "name", inner)
        _ip("link", "set", host.link, "master", self._bridge)
        _ip("link", "set", host.link, "up")
        _ip("link", "set", inner, "netns", host.namespace)
        _ip("-n", host.namespace, "addr", "add", f"{host.address}/24", "dev", inner)
        _ip("-n", host.namespace, "link", "set", inner, "up")
        _ip("-n", host.namespace, "link", "set", "lo", "up")
        host.temp.mkdir()

    def _on(self, host: Host, command: Sequence[str]) -> list[str]:
        # `ip netns exec` gives each command mounts of its own, so a disk of one is nobody else's.
        disks = " && ".join([f"mount -t tmpfs none {path}" for path in host.alone] + ['exec "$@"'])
        return ["ip", "netns", "exec", host.namespace, "sh", "-c", disks, "sh", *command]

    def _environment(self, host: Host, more: dict[str, str]) -> dict[str, str]:
        path = os.pathsep.join([p for p in (host.environment.get("PYTHONPATH"), str(ROOT)) if p])
        return (
            ENVIRONMENT
            | {
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN_PATH": str(self.token_file),
                "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            }
            | host.environment
            | {"PYTHONPATH": path}
            | more
        )

    def _remove(self) -> None:
        for host in self.hosts:
            self.stop(host)
            for command in (("netns", "del", host.namespace), ("link", "del", host.link)):
                subprocess.run(["ip", *command], capture_output=True)
        subprocess.run(["ip", "link", "del", self._bridge], capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        # A head leaves its address to whoever starts Ray without one.
        left = Path("/tmp/ray/ray_current_cluster")
        if left.exists() and left.read_text().partition(":")[0] in {h.address for h in self.hosts}:
            left.unlink()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def command_of(pid: int) -> str:
    """What a process was started as; empty if it is gone."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return raw.replace(b"\0", b" ").decode(errors="replace")
