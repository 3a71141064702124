"""Prints sweeps and leaderboards."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tuner.errors import CommandError, Mistake
from tuner.home import Home
from tuner.results import tables
from tuner.results.leaderboard import Leaderboard
from tuner.sweep import Sweep

_TOP = 10


def show(sweep: Sweep) -> None:
    """The end of a sweep: the best trials, and what to do with them."""
    board = sweep.leaderboard()
    console = _console()
    console.print(tables.to_table(board, _TOP))
    counts = ", ".join(f"{count} {state.lower()}" for state, count in board.counts().items())
    seconds = sum(row.seconds for row in board.rows)
    console.print(f"{len(board.rows)} trials ({counts}), {seconds:.0f} s of training")
    if suffering := [row for row in board.rows if row.note]:
        first = suffering[0]
        console.print(
            f"gradients:      trial {first.number} {first.note}"
            + (f"; and {len(suffering) - 1} more trials" if len(suffering) > 1 else "")
        )
    home = "" if sweep.home.path == Home().path else f" --home {sweep.home.path}"
    tuner = _program()
    console.print(f"all of them:    {tuner} leaderboard {board.name}{home}")
    console.print(f"compare runs:   {tuner} ui{home}, then http://127.0.0.1:5000")
    console.print(f"best model:     {tuner} export {board.name} --to DIR{home}")


def _program() -> str:
    """What to type: `tuner` where the shell finds it, else where it lies."""
    run = Path(sys.argv[0])
    if run.name != "tuner" or shutil.which("tuner") == str(run.absolute()):
        return "tuner"
    return os.path.relpath(run)


def show_status(sweeps: Sequence[Sweep], home: Home) -> None:
    """One line per sweep."""
    console = _console()
    if not sweeps:
        console.print(f"no sweeps in {home.path}; `tuner sweep SPEC` starts one")
        return
    table = Table("sweep", "status", "trials", "states", "metric", "best")
    for sweep in sweeps:
        board = sweep.leaderboard()
        counts = board.counts()
        best = board.best
        table.add_row(
            sweep.spec.name,
            sweep.status,
            f"{len(board.rows)}/{sweep.spec.search.trials}",
            ", ".join(f"{n} {state.lower()}" for state, n in counts.items()),
            board.metric,
            "" if best is None else f"{best.value:.5g} (trial {best.number})",
        )
    console.print(table)


def write_leaderboard(board: Leaderboard, kind: str, output: Path | None) -> None:
    """Writes a leaderboard as `table`, `json`, `csv` or `parquet`, to stdout or a file.

    Raises:
        CommandError: the file cannot be written, or Parquet without a file.
    """
    if kind == "parquet":
        if output is None:
            raise CommandError(
                Mistake(
                    code="command/output",
                    rule="--format parquet must come with --output",
                    where="the command line",
                    got="no file",
                    fix=f"Add such as --output {board.name}.parquet.",
                )
            )
        tables.to_parquet(board, output)
        return
    if kind == "table" and output is None:
        _console().print(tables.to_table(board))
        return
    if kind == "table":
        text = _plain(board)
    else:
        text = tables.to_csv(board) if kind == "csv" else tables.to_json(board)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise tables.unwritable(output, error) from None


def _plain(board: Leaderboard) -> str:
    console = Console(width=160, no_color=True, record=True, quiet=True)
    with console.capture() as captured:
        console.print(tables.to_table(board))
    return captured.get()


def _console() -> Console:
    # Piped output is read by programs and kept in logs: it is not cut at 80 columns.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)
