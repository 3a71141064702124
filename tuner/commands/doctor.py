"""`tuner doctor`: checks of this machine."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from tuner.commands import _arguments

ABOUT = "what is wrong with this machine, and how to mend it"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--cluster", type=Path, metavar="FILE", help="and with this cluster")
    _arguments.findings_as_json(parser)


def run(options: Namespace) -> int:
    from itertools import chain

    from tuner import cluster_file
    from tuner.doctor import Patient, clusters, examine
    from tuner.doctor.report import tell
    from tuner.home import Home

    cluster = cluster_file.load(options.cluster) if options.cluster else None
    found = examine(Patient(home=Home(options.home, cluster)))
    there = clusters.examine(cluster) if cluster else ()
    return tell(chain(found, there), as_json=options.json)
