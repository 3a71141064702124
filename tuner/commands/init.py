"""`tuner init`: from data to a first spec."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

ABOUT = "look at data, tell what was found, and write a spec for it"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="or a folder")
    parser.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="COLUMN",
        help="what to predict; may be repeated; by default the data tell",
    )
    parser.add_argument(
        "--to", type=Path, metavar="SPEC", help="write there (default: ./NAME.yaml)"
    )


def run(options: Namespace) -> int:
    from tuner.first_contact import first_contact

    first_contact(options.data, targets=options.target, to=options.to, tell=print)
    return 0
