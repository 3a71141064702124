"""`tuner report`: a sweep as one page."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

ABOUT = "one page to send: what was found, and how to repeat it"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write there (default: NAME.html)"
    )


def run(options: Namespace) -> int:
    from tuner.sweep import Sweep

    sweep = Sweep.open(options.name, home=options.home)
    to = options.output or Path(f"{options.name}.html")
    sweep.report(to)
    print(to)
    return 0
