"""`tuner leaderboard`: the trials of a sweep, ranked."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from tuner.commands import _types

ABOUT = "the ranked trials of a sweep"


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "--columns", type=_types.names, default=[], metavar="A,B", help="only these, in this order"
    )
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="CONDITION",
        help="only trials for which it holds, such as 'model/cell=lstm'; may be repeated",
    )
    parser.add_argument(
        "--sort", default="", metavar="COLUMN", help="by this column; --sort=-COLUMN: highest first"
    )
    parser.add_argument("--top", type=_types.count, metavar="N", help="the first N only")
    parser.add_argument("--format", choices=["table", "json", "csv", "parquet"], default="table")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write there (parquet: needed)")


def run(options: Namespace) -> int:
    from tuner.results.select import Selection, select
    from tuner.results.show import write_leaderboard
    from tuner.sweep import Sweep

    board = Sweep.open(options.name, home=options.home).leaderboard()
    wanted = Selection(
        columns=options.columns, where=options.where, sort=options.sort, top=options.top
    )
    write_leaderboard(select(board, wanted), options.format, options.output, options.columns)
    return 0
