"""What a report is made from: all that a sweep's folder holds, read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from search_spaces import Parameter
from tuner.context import trial_folder
from tuner.data.card import DataCard
from tuner.outcome import State
from tuner.results import curve
from tuner.results.leaderboard import Leaderboard, Row
from tuner.search.records import TrialRecord
from tuner.spec import SweepSpec


@dataclass(frozen=True, kw_only=True)
class Findings:
    """One sweep as it stands."""

    spec: SweepSpec
    board: Leaderboard
    records: Mapping[int, TrialRecord]
    card: DataCard
    importances: Mapping[str, float]
    """Path → share of what mattered, the largest first; empty where that cannot be said."""
    curves: Mapping[int, Mapping[str, list[float]]]
    """Trial → its columns, `epoch` first."""
    folder: Path

    @classmethod
    def of(
        cls,
        spec: SweepSpec,
        board: Leaderboard,
        records: Sequence[TrialRecord],
        card: DataCard,
        folder: Path,
    ) -> Findings:
        """Reads the curves, and finds what mattered."""
        from tuner.search.importances import importances

        curves = {row.number: curve.read(folder / trial_folder(row.number)) for row in board.rows}
        return cls(
            spec=spec,
            board=board,
            records={record.number: record for record in records},
            card=card,
            importances=importances(spec.space, records, maximize=spec.maximize),
            curves={number: columns for number, columns in curves.items() if columns},
            folder=folder,
        )

    @property
    def searched(self) -> list[Parameter]:
        """The parameters that vary, those that mattered most first."""
        paths = sorted(self.board.searched, key=lambda p: -self.importances.get(p, 0.0))
        return [self.spec.space.parameters[path] for path in paths]

    def kind(self, row: Row) -> str:
        """How a trial is drawn: `winner`, `default`, `pruned`, `broken`, or nothing."""
        if self.board.best is not None and row.number == self.board.best.number:
            return "winner"
        if row.number == 0 and row.rank:
            return "default"
        if row.state is State.RUNNING:
            return ""
        if not row.rank:
            return "broken"
        return "pruned" if row.state is State.PRUNED else ""

    def drawn(self) -> list[Row]:
        """All trials in the order in which they are drawn: what matters most comes last, on top."""
        order = ("broken", "pruned", "", "default", "winner")
        # The best of each kind last.
        return sorted(reversed(self.board.rows), key=lambda row: order.index(self.kind(row)))
