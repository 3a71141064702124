"""`tuner rerun`: a trial once more, as a check."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from tuner.commands import _types

ABOUT = "train a trial again and compare it with the first time"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--trial", type=_types.number, metavar="N", required=True)


def run(options: Namespace) -> int:
    from tuner.sweep import Sweep

    print(Sweep.open(options.name, home=options.home).rerun(options.trial))
    return 0
