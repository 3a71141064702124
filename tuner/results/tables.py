"""A leaderboard as a table: for a terminal, a spreadsheet, a program."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.errors import CommandError, Mistake
from tuner.results.leaderboard import Leaderboard, Row

if TYPE_CHECKING:
    from rich.table import Table

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PARAMETERS = 6
"""Parameters that a terminal's table shows; the other formats have all."""


def to_csv(board: Leaderboard) -> str:
    """All facts of all trials, a header first; texts that a spreadsheet would run are quoted."""
    columns = board.columns()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([_harmless(cell) for cell in row])
    return text.getvalue()


def to_json(board: Leaderboard) -> str:
    """All facts of all trials, the baselines beside them."""
    return json.dumps(board.to_json(), indent=2, allow_nan=False) + "\n"


def to_parquet(board: Leaderboard, path: Path) -> None:
    """The columns of `to_csv` with their types.

    Raises:
        CommandError: the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {}
    for name, values in board.columns().items():
        kinds = {type(value) for value in values if value is not None}
        # A parameter that is a number here and a text there has no single type.
        mixed = len(kinds) > 1 and kinds != {int, float}
        arrays[name] = pa.array([v if v is None else str(v) for v in values] if mixed else values)
    try:
        pq.write_table(pa.table(arrays), path)
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> CommandError:
    """A file that a command was asked to write and cannot."""
    return CommandError(
        Mistake(
            code="command/not-writable",
            rule="--output must be a file that can be written",
            where=str(path),
            got=error.strerror or str(error),
            fix="Name another file.",
        )
    )


def to_table(board: Leaderboard, limit: int | None = None) -> Table:
    """The ranked trials, the default and the baselines, for a terminal."""
    from rich.table import Table

    ranked = [row for row in board.rows if row.rank]
    shown = ranked[:limit]
    default = board.default
    has_test = any(row.test is not None for row in board.rows)
    names = _telling(board, shown)
    table = Table(title=f"{board.name}: {board.metric} on validation data", title_justify="left")
    for head in ("rank", "trial", board.metric, *(["test"] * has_test), "state", "epochs", "s"):
        table.add_column(head, justify="left" if head == "state" else "right", no_wrap=True)
    for name in names:
        section, _, field = name.partition("/")
        # `schedule/name` is the schedule.
        table.add_column(section if field == "name" else field, justify="right")
    for name in board.solved:
        table.add_column(f"{name}, built", justify="right")
    for row in shown:
        table.add_row(*_cells(row, has_test, names, board.solved))
    table.add_section()
    if default is not None and default not in shown:
        table.add_row(*_cells(default, has_test, names, board.solved))
    for line in board.baselines:
        test = [_number(line.test)] * has_test
        table.add_row("", line.name, _number(line.validation), *test, "baseline", "", "")
    return table


def _cells(row: Row, has_test: bool, names: list[str], solved: list[str]) -> list[str]:
    return [
        str(row.rank or ""),
        f"{row.number} (default)" if row.number == 0 else str(row.number),
        _number(row.value),
        *([_number(row.test)] * has_test),
        row.state.value,
        f"{row.best_epoch or ''}/{row.epochs}",
        f"{row.seconds:.1f}",
        *(_text(row.values.get(name)) for name in names),
        *(_text(row.built.get(name)) for name in solved),
    ]


def _telling(board: Leaderboard, rows: list[Row]) -> list[str]:
    """Searched parameters in which the rows differ, the space's first ones first."""
    differing = [
        path for path in board.searched if len({_text(row.values.get(path)) for row in rows}) > 1
    ]
    return differing[:_PARAMETERS]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"


def _text(value: Any) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _harmless(cell: Any) -> Any:
    if cell is None:
        return ""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
