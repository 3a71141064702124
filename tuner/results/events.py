"""A sweep's progress for machines: one JSON object per line on stdout, and nothing else there.

docs/search.md tells what each event holds.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tuner.errors import InputError, TunerError
from tuner.outcome import Outcome, outcome_to_json
from tuner.results.live import Progress

if TYPE_CHECKING:
    from tuner.results.leaderboard import Leaderboard, Row

VERSION = 1
"""Of the events; new fields and kinds of events may come under the same one."""

_PROGRESS_SECONDS = 1.0
"""At least so long lies between two events of progress."""


class Events:
    """Tells a sweep as events; to be entered.

    While it is entered whatever else is written to stdout, a library's words included, goes to
    stderr.
    """

    def __enter__(self) -> Events:
        sys.stdout.flush()
        self._stdout = os.dup(1)
        self._heard = True
        os.dup2(2, 1)
        self._next_progress = 0.0
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if isinstance(error, TunerError):
                wrong = error.mistakes if isinstance(error, InputError) else []
                self._tell(
                    "failed",
                    {
                        "exit_status": error.exit_code,
                        "reason": str(error),
                        "mistakes": [vars(mistake) for mistake in wrong],
                    },
                )
        finally:
            sys.stdout.flush()
            os.dup2(self._stdout, 1)
            os.close(self._stdout)

    def message(self, text: str) -> None:
        self._tell("message", {"text": text})

    def warning(self, text: str) -> None:
        self._tell("warning", {"text": text})

    def progress(self, progress: Progress) -> None:
        now = time.monotonic()
        if now >= self._next_progress:
            self._next_progress = now + _PROGRESS_SECONDS
            running = [
                {"trial": r.number, "epoch": r.epoch, "epochs": r.epochs, "best": r.best}
                for r in progress.running
            ]
            more = {"running": running, "waiting": progress.waiting, "problem": progress.problem}
            self._tell("progress", _facts(progress) | more)

    def ended(self, number: int, outcome: Outcome, progress: Progress) -> None:
        self._tell("trial", {"trial": number} | outcome_to_json(outcome) | _facts(progress))

    def repeated(
        self, number: int, seed: int, outcome: Outcome, metric: str, ended: int, total: int
    ) -> None:
        done = {"metric": metric, "ended": ended, "total": total}
        self._tell("seed", {"trial": number, "seed": seed} | outcome_to_json(outcome) | done)

    def finished(self, board: Leaderboard) -> None:
        """The sweep is over; the whole leaderboard is `tuner leaderboard --format json`."""
        facts = {
            "name": board.name,
            "metric": board.metric,
            "confirmed": board.confirmed,
            "states": board.counts(),
            "best": None if board.best is None else _row(board.best),
            "tied": [row.number for row in board.tied],
            "pareto": [row.number for row in board.rows if row.pareto],
        }
        self._tell("finished", facts)

    def _tell(self, event: str, facts: Mapping[str, Any]) -> None:
        said = {"version": VERSION, "event": event, "time": datetime.now(UTC).isoformat()}
        line = json.dumps(said | dict(facts), allow_nan=False) + "\n"
        left = line.encode() if self._heard else b""
        try:
            while left:
                left = left[os.write(self._stdout, left) :]
        except BrokenPipeError:
            # Whoever listened went away, which is no reason to stop a sweep.
            self._heard = False


def _facts(progress: Progress) -> dict[str, Any]:
    best = progress.best
    return {
        "metric": progress.metric,
        "ended": progress.ended,
        "total": progress.total,
        "states": {state.value: count for state, count in progress.states.items()},
        "best_so_far": None if best is None else {"trial": best[0], "value": best[1]},
        "trials_per_minute": progress.per_minute,
        "seconds_left": progress.seconds_left,
    }


def _row(row: Row) -> dict[str, Any]:
    ends = {} if row.interval is None else {k: getattr(row.interval, k) for k in _ENDS}
    return {
        "trial": row.number,
        "value": row.value,
        "test": row.test,
        "values": dict(row.values),
        "costs": dict(row.costs),
        **ends,
    }


_ENDS = ("mean", "low", "high")
