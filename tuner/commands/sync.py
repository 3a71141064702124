"""`tuner sync`: what tracking still waits for."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

ABOUT = "deliver runs that the tracking server has not got yet"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")


def run(options: Namespace) -> int:
    from tuner.sweep import Sweep

    print(Sweep.open(options.name, home=options.home).sync())
    return 0
