"""`tuner cluster`: a first cluster file, and a cluster of one's own started and ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cluster.launch import ssh
from cluster.refused import Refused
from cluster.spec import DEFAULT_TOKEN, ClusterSpec, SshHosts
from cluster.token import make_token, place_of
from tuner import cluster_file
from tuner.errors import ClusterError, CommandError, Mistake

_FILES = {
    "ray": """\
# A Ray that runs already: `tuner sweep SPEC --cluster {file}`
kind: ray
address: auto                   # or the host:port of its head
# jobs: http://127.0.0.1:8265   # its job server, for --detach; or the near end of a tunnel
# python: python3               # on the head, where rnn-tuner[cluster] is installed
storage: /shared/sweeps         # a folder that all nodes see, or s3://bucket/folder
token_file: {token}
""",
    "ssh": """\
# Machines of one's own: `tuner cluster up {file}`, then `tuner sweep SPEC --cluster {file}`
kind: ssh
hosts: [10.0.0.1, 10.0.0.2]     # the first one is the head; each reached without a password
# user: me
# python: /opt/tuner/bin/python # on each host, where rnn-tuner[cluster] is installed
storage: /shared/sweeps         # a folder that all hosts see, or s3://bucket/folder
token_file: {token}
""",
    "slurm": """\
# One Slurm allocation for each sweep: `tuner sweep SPEC --cluster {file} --detach`
kind: slurm
nodes: 2
time: "4:00:00"                 # two minutes before its end a sweep saves, to be resumed
cpus_per_node: 8
# gpus_per_node: 1
# partition: short
# setup: [module load cuda]     # lines that every node runs first
# python: python3               # on the nodes, where rnn-tuner is installed
storage: /shared/sweeps         # a folder that all nodes see, or s3://bucket/folder
token_file: {token}
""",
}
KINDS = tuple(_FILES)


def init(kind: str, to: Path) -> str:
    """Writes a commented cluster file, and a token unless there is one; gives what to tell.

    Raises:
        CommandError: the file exists.
    """
    text = _FILES[kind].format(file=to, token=DEFAULT_TOKEN)
    try:
        with to.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CommandError(
            Mistake(
                code="command/output",
                rule="--to must name a new file in a folder that is there",
                where="--to",
                got=f"{to}: {error.strerror}",
                fix="Name another, or move that one away.",
            )
        ) from None
    path = DEFAULT_TOKEN.expanduser()
    made = make_token(path)
    return (
        f"wrote {to}: fill in what is yours, then `tuner cluster check {to}`\n"
        f"token: {path}, {'made for you alone' if made else 'which was there'}"
    )


def up(file: Path) -> Iterator[str]:
    """Starts Ray on the hosts of a cluster file; a line for each.

    Raises:
        ClusterError: mistakes of the file, a host that is not reached or does not start.
    """
    cluster = _own(cluster_file.load(file), file)
    try:
        make_token(place_of(cluster.token_file))
        yield from (f"{host}: {what}" for host, what in ssh.up(cluster))
    except Refused as refused:
        raise ClusterError(cluster_file.told(refused)) from None


def down(file: Path) -> Iterator[str]:
    """Ends what `up` started; a line for each host.

    Raises:
        ClusterError: mistakes of the file, or a host that is not reached.
    """
    cluster = _own(cluster_file.load(file), file)
    try:
        yield from (f"{host}: {what}" for host, what in ssh.down(cluster))
    except Refused as refused:
        raise ClusterError(cluster_file.told(refused)) from None


def _own(cluster: ClusterSpec, file: Path) -> SshHosts:
    if isinstance(cluster, SshHosts):
        return cluster
    others = {
        "ray": "It runs already; see `tuner cluster check`.",
        "slurm": "Each sweep has an allocation of its own: `tuner sweep SPEC --detach`.",
    }
    raise ClusterError(
        Mistake(
            code="cluster/not-ours",
            rule="`tuner cluster up` and `down` are for `kind: ssh`",
            where=str(file),
            got=f"kind: {cluster.kind}",
            fix=others.get(cluster.kind, "It lives as long as a sweep."),
        )
    )
