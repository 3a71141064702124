"""Prints sweeps and leaderboards."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tuner import detached
from tuner.errors import CommandError, Mistake, StudyUnreachable
from tuner.home import Home
from tuner.results import tables
from tuner.results.leaderboard import Leaderboard
from tuner.sweep import Sweep

if TYPE_CHECKING:
    from tuner.results.compare import Comparison

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
    for line in _winner(board, f"{tuner} resume {board.name} --confirm 3{home}"):
        console.print(line, markup=False)
    console.print(f"all of them:    {tuner} leaderboard {board.name}{home}")
    console.print(f"compare runs:   {tuner} ui{home}, then http://127.0.0.1:5000")
    console.print(f"best model:     {tuner} export {board.name} --to DIR{home}")


def _winner(board: Leaderboard, confirm: str) -> list[str]:
    """How sure the first place is, a line each; `confirm` is the command that makes it surer."""
    best = board.best
    if best is None:
        broken = sum(bool(row.violated) for row in board.rows)
        return [f"no winner:      {broken} trials break a constraint"] if broken else []
    lines = []
    if board.confirmed and best.interval is not None:
        lines.append(
            f"winner:         trial {best.number}, {board.metric} "
            f"{tables.shown_interval(best.interval)} over {len(best.seeds)} fresh seeds"
        )
        if tied := [str(row.number) for row in board.tied]:
            lines.append(f"a tie:          nothing tells it from trial {', '.join(tied)}")
    elif not board.confirmed and sum(row.rank is not None for row in board.rows) > 1:
        lines.append(
            f"winner:         trial {best.number}, the best of single scores and so in part the "
            f"luckiest; `{confirm}` tries the best on fresh seeds"
        )
    for row in board.rows:
        if row.unstable:
            lines.append(f"unstable:       trial {row.number} on {row.unstable}")
    if front := [str(row.number) for row in board.rows if row.pareto]:
        names = ", ".join(board.objectives)
        lines.append(f"front:          trials {', '.join(front)} by {names}")
    return lines


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
    standings = [detached.standing(sweep) for sweep in sweeps]
    if any(where for _, where in standings):
        table.add_column("where")
    for sweep, (status, where) in zip(sweeps, standings, strict=True):
        try:
            board = sweep.leaderboard()
        except StudyUnreachable as away:
            table.add_row(sweep.spec.name, status, "", str(away), "", "")
            continue
        counts = board.counts()
        best = board.best
        table.add_row(
            sweep.spec.name,
            status,
            f"{len(board.rows)}/{sweep.spec.search.trials}",
            ", ".join(f"{n} {state.lower()}" for state, n in counts.items()),
            board.metric,
            "" if best is None else f"{best.value:.5g} (trial {best.number})",
            *([where] if any(place for _, place in standings) else []),
        )
    console.print(table)


def write_leaderboard(
    board: Leaderboard, kind: str, output: Path | None, columns: Sequence[str] = ()
) -> None:
    """Writes a leaderboard as `table`, `json`, `csv` or `parquet`, to stdout or a file.

    Args:
        board: the rows wanted.
        kind: of the four.
        output: the file; None for stdout.
        columns: those wanted; all if none is named, of a table the telling ones.

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
        tables.to_parquet(board, output, columns)
        return
    if kind == "table":
        table = tables.to_chosen_table(board, columns) if columns else tables.to_table(board)
        if output is None:
            _console().print(table)
            return
        text = _plain(table)
    else:
        write = tables.to_csv if kind == "csv" else tables.to_json
        text = write(board, columns)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise tables.unwritable(output, error) from None


def show_comparison(found: Comparison) -> None:
    """What differs between two sweeps or trials, section by section, and who is better."""
    console = _console()
    for title, differences in (
        ("configuration", found.configuration),
        ("data", found.data),
        ("scores", found.scores),
    ):
        if not differences:
            console.print(f"{title}: nothing differs")
            continue
        table = Table("", found.one, found.other, title=title, title_justify="left")
        for difference in differences:
            sides = (difference.one, difference.other)
            table.add_row(difference.what, *map(_said, sides))
        console.print(table)
    console.print(found.verdict, markup=False)


def _said(value: object) -> str:
    return "" if value is None else f"{value:.5g}" if isinstance(value, float) else str(value)


def _plain(table: Table) -> str:
    console = Console(width=160, no_color=True, record=True, quiet=True)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def _console() -> Console:
    # Piped output is read by programs and kept in logs: it is not cut at 80 columns.
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)
