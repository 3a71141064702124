"""`tuner compare`: two sweeps or two trials, side by side."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

ABOUT = "what differs between two sweeps or two trials"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("one", metavar="A", help="a sweep, or NAME:NUMBER for one of its trials")
    parser.add_argument("other", metavar="B", help="another of the same kind")
    parser.add_argument("--format", choices=["table", "json"], default="table")


def run(options: Namespace) -> int:
    import json

    from tuner.results.compare import compare
    from tuner.results.show import show_comparison

    found = compare(options.one, options.other, home=options.home)
    if options.format == "json":
        print(json.dumps(found.to_json(), indent=2, allow_nan=False))
    else:
        show_comparison(found)
    return 0
