"""`tuner schema`: what an editor needs to know of a spec."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

ABOUT = "the JSON Schema of a spec, for editors"


def add_arguments(parser: ArgumentParser) -> None:
    """It takes none."""


def run(options: Namespace) -> int:
    import json

    from tuner.spec_file import schema

    print(json.dumps(schema(), indent=2))
    return 0
