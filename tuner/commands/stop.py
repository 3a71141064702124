"""`tuner stop`: an orderly end of a running sweep."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from tuner.commands import _arguments

ABOUT = "stop a running sweep in order; `tuner resume` goes on"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    _arguments.cluster_to_look_in(parser)


def run(options: Namespace) -> int:
    from tuner import detached
    from tuner.sweep import Sweep

    print(detached.stop(Sweep.open(options.name, home=options.home, cluster=options.cluster)))
    return 0
