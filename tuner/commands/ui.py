"""`tuner ui`: the runs in MLflow's own pages."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from tuner.commands import _types

ABOUT = "the MLflow UI on this home's runs, on 127.0.0.1"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--port", type=_types.port, default=5000)


def run(options: Namespace) -> int:
    from tuner.home import Home
    from tuner.tracking import ui

    ui.serve(Home(options.home).path, options.port)
    return 0
