"""Arguments that several commands take."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path


def spec(parser: ArgumentParser) -> None:
    parser.add_argument("spec", type=Path, metavar="SPEC", help="a sweep's YAML file")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="replace a value of the spec or fix a parameter of its space; may be repeated",
    )


def cluster_to_run_on(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--cluster", type=Path, metavar="FILE", help="where it runs (default: this machine)"
    )


def cluster_to_look_in(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--cluster", type=Path, metavar="FILE", help="look in its storage for the sweep"
    )


def findings_as_json(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="a line of JSON for each check")
