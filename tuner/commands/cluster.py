"""`tuner cluster`: a cluster file, and what is done with it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from tuner.commands import _arguments

ABOUT = "a cluster file, and machines of one's own"


def add_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    begin = actions.add_parser("init", help="write a commented cluster file, and a token")
    begin.add_argument("kind", choices=["ray", "ssh", "slurm"])
    begin.add_argument("--to", type=Path, default=Path("cluster.yaml"), metavar="FILE")
    for action, about in (
        ("up", "start Ray on the hosts of a cluster file"),
        ("down", "end what `up` started"),
        ("check", "what is wrong with a cluster, and how to mend it"),
    ):
        actions.add_parser(action, help=about).add_argument("file", type=Path, metavar="FILE")
    _arguments.findings_as_json(actions.choices["check"])


def run(options: Namespace) -> int:
    from tuner import cluster_file, clusters
    from tuner.doctor import clusters as checks
    from tuner.doctor.report import tell

    if options.action == "check":
        return tell(checks.examine(cluster_file.load(options.file)), as_json=options.json)
    if options.action == "init":
        print(clusters.init(options.kind, options.to))
        return 0
    for line in (clusters.up if options.action == "up" else clusters.down)(options.file):
        print(line, flush=True)
    return 0
