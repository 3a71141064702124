"""A leaderboard as a table: for a terminal, a spreadsheet, a program."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.errors import CommandError, Mistake
from tuner.results.interval import Interval
from tuner.results.leaderboard import Leaderboard, Row

if TYPE_CHECKING:
    from rich.table import Table

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PARAMETERS = 6
"""Parameters that a terminal's table shows; the other formats have all."""


def to_csv(board: Leaderboard, names: Sequence[str] = ()) -> str:
    """All facts of all trials, or some, a header first; texts that a spreadsheet would run are
    quoted."""
    columns = _columns(board, names)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow([_harmless(cell) for cell in row])
    return text.getvalue()


def to_json(board: Leaderboard, names: Sequence[str] = ()) -> str:
    """All facts of all trials, or some, the baselines beside them."""
    data = board.to_json()
    data["trials"] = [{n: trial[n] for n in names or trial} for trial in data["trials"]]
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def to_parquet(board: Leaderboard, path: Path, names: Sequence[str] = ()) -> None:
    """The columns of `to_csv` with their types.

    Raises:
        CommandError: the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {}
    for name, values in _columns(board, names).items():
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
    names = _telling(board, shown)
    table = Table(title=f"{board.name}: {board.metric} on validation data", title_justify="left")
    optional = [head for head, cell in _OPTIONAL.items() if any(map(cell, board.rows))]
    costs = [name for name in board.objectives if any(name in row.costs for row in board.rows)]
    for head in ("rank", "trial", board.metric, *optional, *costs, "state", "epochs", "s"):
        table.add_column(head, justify="left" if head == "state" else "right", no_wrap=True)
    for name in names:
        section, _, field = name.partition("/")
        # `schedule/name` is the schedule.
        table.add_column(section if field == "name" else field, justify="right")
    for name in board.solved:
        table.add_column(f"{name}, built", justify="right")
    for row in shown:
        table.add_row(*_cells(row, optional, costs, names, board.solved))
    table.add_section()
    if default is not None and default not in shown:
        table.add_row(*_cells(default, optional, costs, names, board.solved))
    for line in board.baselines:
        more = [_number(line.test) if head == "test" else "" for head in optional]
        more += [""] * len(costs)
        table.add_row("", line.name, _number(line.validation), *more, "baseline", "", "")
    return table


def to_chosen_table(board: Leaderboard, names: Sequence[str]) -> Table:
    """Some columns of all rows, for a terminal."""
    from rich.table import Table

    columns = _columns(board, names)
    table = Table(title=board.name, title_justify="left")
    for name, cells in columns.items():
        numeric = all(isinstance(cell, int | float) for cell in cells if cell is not None)
        table.add_column(name, justify="right" if numeric else "left")
    for row in zip(*columns.values(), strict=True):
        table.add_row(*(_number(cell) if isinstance(cell, float) else _text(cell) for cell in row))
    return table


def _columns(board: Leaderboard, names: Sequence[str]) -> dict[str, list[Any]]:
    columns = board.columns()
    return {name: columns[name] for name in names} if names else columns


_OPTIONAL: dict[str, Callable[[Row], str]] = {
    "over fresh seeds": lambda row: "" if row.interval is None else shown_interval(row.interval),
    "tie": lambda row: "tie" if row.tie else "",
    "test": lambda row: _number(row.test),
    "front": lambda row: "*" if row.pareto else "",
}
"""Columns that stand only where some row fills them."""


def shown_interval(interval: Interval) -> str:
    """A mean and its interval, as people read them."""
    return f"{interval.mean:.4g} ({interval.low:.4g} … {interval.high:.4g})"


def _cells(
    row: Row, optional: list[str], costs: list[str], names: list[str], solved: list[str]
) -> list[str]:
    return [
        str(row.rank or ""),
        f"{row.number} (default)" if row.number == 0 else str(row.number),
        _number(row.value),
        *(_OPTIONAL[head](row) for head in optional),
        *(_number(row.costs.get(name)) for name in costs),
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
