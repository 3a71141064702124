"""`tuner spaces`: the ready-made search spaces."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

ABOUT = "the ready-made search spaces, or one in full"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?")


def run(options: Namespace) -> int:
    from tuner.results.spaces import describe_all, describe_one

    print(describe_one(options.name) if options.name else describe_all())
    return 0
