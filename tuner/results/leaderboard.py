"""The trials of a sweep, ranked on validation data only, beside two honest lines.

A naive baseline and the untuned default (trial 0) show what the search was worth. Test scores are
shown for the final models, the only ones that were ever scored on the test split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuner.outcome import State

if TYPE_CHECKING:
    from tuner.search.records import TrialRecord
    from tuner.spec import SweepSpec


@dataclass(frozen=True, kw_only=True)
class Row:
    """One trial."""

    number: int
    rank: int | None
    """From 1; None for a trial without a usable model."""
    state: State
    value: float | None
    """Best value of the metric on validation data."""
    test: float | None
    """The metric on test data; None for all but the final models."""
    epochs: int
    best_epoch: int | None
    seconds: float
    reason: str
    note: str
    """What its gradients suffered from, if from anything."""
    metrics: Mapping[str, float]
    """All validation metrics at the best epoch."""
    values: Mapping[str, Any]
    built: Mapping[str, int]
    """Field of the model → what it was built with, where that was solved."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What one gets without learning."""

    name: str
    validation: float
    test: float | None


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """All trials of a sweep, the ranked ones first."""

    name: str
    metric: str
    maximize: bool
    rows: tuple[Row, ...]
    baselines: tuple[Baseline, ...]
    searched: tuple[str, ...]
    """Parameters that the space lets vary."""

    @classmethod
    def of(
        cls,
        spec: SweepSpec,
        records: Sequence[TrialRecord],
        *,
        baselines: Mapping[str, Any],
        finals: Mapping[str, Any],
        built: Mapping[int, Mapping[str, int]],
    ) -> Leaderboard:
        """Ranks what a study holds.

        Args:
            spec: of the sweep.
            records: of its trials.
            baselines: split → name → metric → value.
            finals: trial number as text → metric → value on test data.
            built: trial number → what its network was built with, where that was solved.
        """
        sign = -1 if spec.maximize else 1
        usable = [r for r in records if r.outcome is not None and r.outcome.usable]
        usable.sort(key=lambda r: (sign * r.outcome.value, r.number))  # type: ignore[union-attr, operator]
        ranks = {record.number: rank for rank, record in enumerate(usable, 1)}
        rest = [record for record in records if record.number not in ranks]
        rows = [
            _row(r, ranks, finals.get(str(r.number), {}), spec.metric, built.get(r.number, {}))
            for r in usable + rest
        ]
        return cls(
            name=spec.name,
            metric=spec.metric,
            maximize=spec.maximize,
            rows=tuple(rows),
            baselines=tuple(_baselines(baselines, spec.metric)),
            searched=tuple(p for p, q in spec.space.parameters.items() if q.domain.size != 1),
        )

    @property
    def best(self) -> Row | None:
        """The first in rank; None while no trial is usable."""
        return self.rows[0] if self.rows and self.rows[0].rank else None

    @property
    def default(self) -> Row | None:
        """Trial 0, the untuned configuration."""
        return next((row for row in self.rows if row.number == 0), None)

    @property
    def solved(self) -> list[str]:
        """Fields of the model that some network was built with unasked."""
        return sorted({name for row in self.rows for name in row.built})

    def counts(self) -> dict[str, int]:
        """Trials per state, in the order of the states."""
        states = [row.state for row in self.rows]
        return {state.value: states.count(state) for state in State if state in states}

    def columns(self) -> dict[str, list[Any]]:
        """One column per fact, one row per trial; parameters that a trial lacks are None."""
        metrics = sorted({name for row in self.rows for name in row.metrics})
        paths = list(dict.fromkeys(path for row in self.rows for path in row.values))
        facts = ["rank", "state", "value", "test", "epochs", "best_epoch", "seconds"]
        facts += ["reason", "note"]
        found: dict[str, list[Any]] = {"trial": [row.number for row in self.rows]}
        for fact in facts:
            found[fact] = [getattr(row, fact) for row in self.rows]
        found["state"] = [row.state.value for row in self.rows]
        for name in metrics:
            found[f"validation/{name}"] = [row.metrics.get(name) for row in self.rows]
        for path in paths:
            found[path] = [row.values.get(path) for row in self.rows]
        for name in self.solved:
            found[f"built/{name}"] = [row.built.get(name) for row in self.rows]
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain data, trials as a list of objects."""
        columns = self.columns()
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return {
            "name": self.name,
            "metric": self.metric,
            "direction": "maximize" if self.maximize else "minimize",
            "baselines": [vars(baseline) for baseline in self.baselines],
            "trials": rows,
        }


def _row(
    record: TrialRecord,
    ranks: Mapping[int, int],
    test: Mapping[str, float],
    metric: str,
    built: Mapping[str, int],
) -> Row:
    outcome = record.outcome
    return Row(
        number=record.number,
        rank=ranks.get(record.number),
        state=outcome.state if outcome else State.RUNNING,
        value=outcome.value if outcome else None,
        test=test.get(metric),
        epochs=outcome.epochs if outcome else 0,
        best_epoch=outcome.best_epoch if outcome else None,
        seconds=outcome.seconds if outcome else 0.0,
        reason=outcome.reason if outcome else "",
        note=outcome.note if outcome else "",
        metrics=outcome.metrics if outcome else {},
        values=record.values,
        built=built,
    )


def _baselines(found: Mapping[str, Any], metric: str) -> list[Baseline]:
    test = found.get("test", {})
    return [
        Baseline(
            name=name,
            validation=metrics[metric],
            test=test[name][metric] if name in test else None,
        )
        for name, metrics in found.get("validation", {}).items()
    ]
