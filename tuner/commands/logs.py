"""`tuner logs`: the output of a detached sweep."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from tuner.commands import _arguments

ABOUT = "what a detached sweep says"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--follow", action="store_true", help="go on until it ends")
    _arguments.cluster_to_look_in(parser)


def run(options: Namespace) -> int:
    from tuner import detached
    from tuner.sweep import Sweep

    sweep = Sweep.open(options.name, home=options.home, cluster=options.cluster)
    for text in detached.log(sweep, follow=options.follow):
        print(text, end="", flush=True)
    return 0
