"""`tuner check`: a spec's mistakes, or its plan."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from tuner.commands import _arguments

ABOUT = "show all mistakes of a spec at once, or its plan; start nothing"


def add_arguments(parser: ArgumentParser) -> None:
    _arguments.spec(parser)
    _arguments.cluster_to_run_on(parser)


def run(options: Namespace) -> int:
    from tuner.check import check

    print(check(options.spec, settings=options.set, cluster=options.cluster))
    return 0
