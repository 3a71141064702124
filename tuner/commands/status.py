"""`tuner status`: what became of sweeps."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from tuner.commands import _arguments

ABOUT = "what became of each sweep, or of one"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?")
    _arguments.cluster_to_look_in(parser)


def run(options: Namespace) -> int:
    from tuner import cluster_file
    from tuner.home import Home
    from tuner.results.show import show_status
    from tuner.sweep import Sweep

    home = Home(options.home, cluster_file.load(options.cluster) if options.cluster else None)
    names = [options.name] if options.name else home.sweeps()
    show_status([Sweep.open(name, home=home.path) for name in names], home)
    return 0
