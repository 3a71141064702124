"""Which trials and which of their facts somebody wants to see."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tuner.errors import CommandError, Mistake
from tuner.results.leaderboard import Leaderboard

_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CONDITION = re.compile(r"([^<>=!]+?)\s*(<=|>=|!=|=|<|>)\s*(.*)")


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Some rows of a leaderboard, in an order, and some columns."""

    columns: Sequence[str] = ()
    """Names of columns; none for all."""
    where: Sequence[str] = ()
    """Conditions that all hold, such as `model/cell=lstm` or `value>=0.9`."""
    sort: str = ""
    """A column, behind a `-` for the highest first; empty for the board's own order."""
    top: int | None = None
    """How many rows at most; None for all."""


def select(board: Leaderboard, wanted: Selection) -> Leaderboard:
    """The board with the rows that are wanted; its columns are left to whoever writes it.

    Raises:
        CommandError: every column that there is not, and every condition that cannot be read.
    """
    columns = board.columns()
    mistakes: list[Mistake] = []
    for name in wanted.columns:
        mistakes += _unknown(name, "--columns", columns)
    kept = list(range(len(board.rows)))
    for text in wanted.where:
        condition = _condition(text, columns, mistakes)
        if condition is not None:
            kept = [index for index in kept if condition(index)]
    name = wanted.sort.removeprefix("-")
    if name:
        mistakes += _unknown(name, "--sort", columns)
    if mistakes:
        raise CommandError(mistakes)
    if name:
        kept = _sorted(kept, columns[name], descending=wanted.sort.startswith("-"))
    return replace(board, rows=tuple(board.rows[index] for index in kept[: wanted.top]))


def _sorted(kept: list[int], column: Sequence[Any], *, descending: bool) -> list[int]:
    """Numbers by value, then texts; what is missing comes last either way."""
    known = [index for index in kept if column[index] is not None]
    numeric = all(isinstance(column[index], int | float) for index in known)
    known.sort(key=lambda i: column[i] if numeric else str(column[i]), reverse=descending)
    return [*known, *(index for index in kept if column[index] is None)]


def _condition(
    text: str, columns: dict[str, list[Any]], mistakes: list[Mistake]
) -> Callable[[int], bool] | None:
    if (match := _CONDITION.fullmatch(text.strip())) is None:
        mistakes.append(
            Mistake(
                code="command/where",
                rule="--where must be COLUMN=VALUE, or with !=, <, <=, > or >=",
                where="the command line",
                got=repr(text),
                fix="Write such as --where 'model/cell=lstm' or --where 'value>=0.9'.",
            )
        )
        return None
    name, sign, said = match.groups()
    if unknown := _unknown(name, "--where", columns):
        mistakes += unknown
        return None
    column = columns[name]
    compare = _SIGNS[sign]
    number = _number(said)
    if sign in ("=", "!="):
        return lambda index: compare(_alike(column[index], said, number), True)
    texts = [cell for cell in column if cell is not None and not isinstance(cell, int | float)]
    if number is None or texts:
        mistakes.append(
            Mistake(
                code="command/where",
                rule=f"`{sign}` must compare numbers",
                where=f"--where {text!r}",
                got=repr(said) if number is None else f"a column with {texts[0]!r} in it",
                fix="Take = or != for texts.",
            )
        )
        return None
    return lambda index: column[index] is not None and compare(column[index], number)


def _alike(cell: Any, said: str, number: float | None) -> bool:
    if cell is None or isinstance(cell, bool):
        return said.lower() == {None: "", True: "true", False: "false"}[cell]
    if isinstance(cell, int | float):
        return number is not None and cell == number
    return str(cell) == said


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _unknown(name: str, flag: str, columns: dict[str, list[Any]]) -> list[Mistake]:
    if name in columns:
        return []
    # A table's head is the last step of a parameter's path.
    ends = [column for column in columns if column.endswith(f"/{name}")]
    close = ends or difflib.get_close_matches(name, columns, n=1)
    fix = f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(columns)}."
    return [
        Mistake(
            code="command/column",
            rule=f"{flag} must name a column of the leaderboard",
            where="the command line",
            got=repr(name),
            fix=fix,
        )
    ]
