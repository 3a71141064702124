"""A small leaderboard that several tests share."""

from __future__ import annotations

from typing import Any

from tuner.outcome import State
from tuner.results.leaderboard import Leaderboard, Row


def row(number: int, value: float | None, cell: str | int | None, **changes: Any) -> Row:
    known: dict[str, Any] = {
        "number": number,
        "rank": number + 1 if value is not None else None,
        "state": State.COMPLETE if value is not None else State.FAILED,
        "value": value,
        "test": None,
        "epochs": 3,
        "best_epoch": 2,
        "seconds": 10.0 - number,
        "reason": "",
        "note": "",
        "metrics": {},
        "values": {} if cell is None else {"model/cell": cell},
    }
    return Row(**known | changes)


BOARD = Leaderboard(
    name="made",
    metric="accuracy",
    maximize=True,
    rows=(
        row(0, 0.9, "lstm", tie=True),
        row(1, 0.8, "gru", tie=False),
        row(2, 0.7, "lstm"),
        row(3, None, None, note="a=b"),
    ),
    baselines=(),
    searched=("model/cell",),
)
