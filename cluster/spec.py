"""ClusterSpec: which machines, how they are reached, and the storage that all of them see."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from cluster.uris import is_uri

PORT = 6379
"""Where a Ray head listens unless told otherwise."""
JOB_SERVER = "http://127.0.0.1:8265"
"""Where a head's job server listens, and a tunnel to it ends, unless told otherwise."""
WAIT_SECONDS = 600.0
"""How long a sweep waits for room unless told otherwise."""
DEFAULT_TOKEN = Path("~/.ray/auth_token")
"""Where Ray itself looks for a token; `ray get-auth-token --generate` writes one."""

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_TIME = re.compile(r"(\d+-)?\d{1,2}(:\d{2}){0,2}|\d+(:\d{2}){0,2}")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


class ClusterSpec(BaseModel):
    """One cluster: frozen, strict, each field explained beneath itself."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )
    kind: str
    """`embedded`, `ray`, `ssh` or `slurm`."""

    @property
    def entry(self) -> str | None:
        """The Ray to join: `host:port` of its head, or `auto` for the one that this machine is part
        of. None where one is started for the sweep."""
        return None

    @property
    def token(self) -> Path | None:
        """File of the token that the cluster asks for; None where Ray is to look for it."""
        return None

    @property
    def home(self) -> Path | None:
        """Folder of all sweeps on it, if the cluster names one."""
        return None

    @property
    def objects(self) -> str | None:
        """URI of the object store through which its nodes pass files; None where they share a
        disk."""
        return None

    @property
    def patience(self) -> float:
        """Seconds that a sweep waits where nothing trains for want of room."""
        return WAIT_SECONDS


class Embedded(ClusterSpec):
    """This machine alone: a Ray that lives as long as the sweep."""

    kind: Literal["embedded"] = "embedded"
    """This machine alone."""


class _Shared(ClusterSpec):
    """What the kinds of several machines have in common."""

    storage: Path | str | None = None
    """Folder that all nodes see under the same path; sweeps are kept there unless `--home` or
    TUNER_HOME says otherwise. Or `s3://bucket/folder`, where nodes share no disk."""
    token_file: Path | None = Field(default=None, strict=False)
    """File of mode 0600 with the cluster's token; RAY_AUTH_TOKEN or Ray's own `~/.ray/auth_token`
    if absent."""

    wait_seconds: float = Field(default=WAIT_SECONDS, ge=0)
    """How long a sweep waits where nothing trains for want of room, as while nodes are started."""

    @field_validator("storage", mode="plain")
    @classmethod
    def _place(cls, given: Any, info: ValidationInfo) -> Path | str | None:
        if given is None or (isinstance(given, str) and is_uri(given)):
            return given
        if not isinstance(given, str | Path):
            raise ValueError("must be a path, or the URI of a folder in an object store")
        return _absolute(Path(given), info)

    @field_validator("token_file")
    @classmethod
    def _file(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        return None if path is None else _absolute(path, info)

    @property
    def token(self) -> Path | None:
        return self.token_file

    @property
    def home(self) -> Path | None:
        return self.storage if isinstance(self.storage, Path) else None

    @property
    def objects(self) -> str | None:
        return self.storage if isinstance(self.storage, str) else None

    @property
    def patience(self) -> float:
        return self.wait_seconds


def _absolute(path: Path, info: ValidationInfo) -> Path:
    """A relative path starts from the cluster file's folder."""
    folder: Path = (info.context or {}).get("folder", Path())
    return (folder / path.expanduser()).absolute()


class ExistingRay(_Shared):
    """A Ray that runs already, on this machine and others."""

    kind: Literal["ray"] = "ray"
    """A Ray that runs already."""
    address: str
    """`host:port` of its head, or `auto` for the one that this machine is part of."""

    @field_validator("address")
    @classmethod
    def _is_address(cls, address: str) -> str:
        if address == "auto":
            return address
        host, colon, port = address.rpartition(":")
        legal = port.isdecimal() and 1 <= int(port) <= 65535 and _HOST.fullmatch(host)
        if not colon or not legal:
            raise ValueError("must be the `host:port` of a Ray head, without `ray://`, or `auto`")
        return address

    jobs: str = JOB_SERVER
    """Address of its job server, which `--detach` hands sweeps to."""
    python: str = Field(default="python3", min_length=1)
    """Interpreter on the head, in whose environment rnn-tuner is installed."""

    @field_validator("jobs")
    @classmethod
    def _is_private(cls, jobs: str) -> str:
        parts = urlsplit(jobs)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError("must be the `http://host:port` of a job server")
        if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost"):
            raise ValueError(
                "must start with `https://` or lead to 127.0.0.1, through a tunnel such as "
                "`ssh -N -L 8265:127.0.0.1:8265 HEAD`: others would read the token"
            )
        return jobs

    @property
    def entry(self) -> str | None:
        return self.address


class SshHosts(_Shared):
    """Machines of one's own, each reached over ssh without a password."""

    kind: Literal["ssh"] = "ssh"
    """Machines of one's own."""
    hosts: list[str] = Field(min_length=1)
    """Names or addresses under which the machines reach one another."""
    head: str | None = None
    """The host that Ray's head runs on; the first one if absent."""
    user: str | None = None
    """Who logs in there; whoever runs the command if absent."""
    port: int = Field(default=PORT, ge=1, le=65535)
    """Port of Ray's head."""
    jobs_port: int = Field(default=8265, ge=1, le=65535)
    """Port of the head's job server, on its loopback."""
    python: str = Field(default="python3", min_length=1)
    """Interpreter on the hosts, in whose environment rnn-tuner is installed."""

    @field_validator("hosts")
    @classmethod
    def _are_hosts(cls, hosts: list[str]) -> list[str]:
        if wrong := [host for host in hosts if not _HOST.fullmatch(host)]:
            raise ValueError(f"must be names or IPv4 addresses, unlike {wrong[0]!r}")
        if len(set(hosts)) < len(hosts):
            raise ValueError("must name each host once")
        return hosts

    @field_validator("user")
    @classmethod
    def _is_user(cls, user: str | None) -> str | None:
        if user is not None and not _USER.fullmatch(user):
            raise ValueError("must be the name of a user")
        return user

    @field_validator("head")
    @classmethod
    def _is_one_of_them(cls, head: str | None, info: ValidationInfo) -> str | None:
        hosts = info.data.get("hosts")
        if head is not None and hosts is not None and head not in hosts:
            raise ValueError(f"must be one of `hosts`: {', '.join(hosts)}")
        return head

    @property
    def first(self) -> str:
        """The host of Ray's head."""
        return self.head or self.hosts[0]

    @property
    def entry(self) -> str | None:
        return f"{self.first}:{self.port}"


class SlurmJob(_Shared):
    """One Slurm allocation: Ray's head on its first node, workers on the others."""

    kind: Literal["slurm"] = "slurm"
    """One Slurm allocation."""
    nodes: int = Field(default=1, ge=1)
    """Nodes of the allocation."""
    time: str
    """Its limit, as `sbatch --time` takes it, such as `4:00:00` or `2-12:00:00`."""
    partition: str | None = Field(default=None, pattern=r"^[\w.,-]+$")
    """Where it queues; Slurm's default if absent."""
    account: str | None = Field(default=None, pattern=r"^[\w.-]+$")
    """Who pays; Slurm's default if absent."""
    cpus_per_node: int = Field(default=1, ge=1)
    """CPUs taken on each node."""
    gpus_per_node: int = Field(default=0, ge=0)
    """GPUs taken on each node."""
    memory_gb: int | None = Field(default=None, ge=1)
    """Memory taken on each node; Slurm's default if absent."""
    python: str = Field(default="python3", min_length=1)
    """Interpreter on the nodes, in whose environment rnn-tuner is installed."""
    setup: list[str] = Field(default_factory=list)
    """Shell lines that every node runs first, such as `module load cuda`."""

    @field_validator("time")
    @classmethod
    def _is_time(cls, time: str) -> str:
        if not _TIME.fullmatch(time):
            raise ValueError("must be a time limit such as `90`, `4:00:00` or `2-12:00:00`")
        return time

    @field_validator("setup")
    @classmethod
    def _are_lines(cls, lines: list[str]) -> list[str]:
        if any("\n" in line for line in lines):
            raise ValueError("must be a list of single lines")
        return lines

    @property
    def entry(self) -> str | None:
        # The sweep is part of the job, and the job's head runs it.
        return "auto"


class ClusterFile(BaseModel):
    """The one key that every cluster file has."""

    KINDS: ClassVar[Mapping[str, type[ClusterSpec]]] = {
        "embedded": Embedded,
        "ray": ExistingRay,
        "ssh": SshHosts,
        "slurm": SlurmJob,
    }
    model_config = ConfigDict(strict=True, use_attribute_docstrings=True)
    kind: str
    """`embedded`: this machine alone; `ray`: a Ray that runs already; `ssh`: machines of one's own;
    `slurm`: an allocation."""

    @model_validator(mode="before")
    @classmethod
    def _is_mapping(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError("a cluster file must be a mapping with `kind`")
        return data

    @field_validator("kind")
    @classmethod
    def _is_known(cls, kind: str) -> str:
        if kind not in cls.KINDS:
            raise ValueError(f"must be one of {', '.join(cls.KINDS)}")
        return kind

    @classmethod
    def config(cls, data: Any) -> type[ClusterSpec]:
        """The spec that a file's data are meant for.

        Raises:
            ValidationError: it names no known kind.
        """
        return cls.KINDS[cls.model_validate(data).kind]
