"""The trials of a sweep, ranked on validation data only, beside two honest lines.

A naive baseline and the untuned default (trial 0) show what the search was worth. Those in front
are ranked by their mean over fresh seeds, once all of them have been trained on these. Test scores
are shown for final models, the only ones that were ever scored on the test split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tuner.outcome import State
from tuner.repeats import Repeat, Repeats
from tuner.results.interval import Interval
from tuner.results.ranking import Ranking, rank

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
    costs: Mapping[str, float] = field(default_factory=dict)
    """`parameters`, `bytes` and, where it was asked for, `latency_ms`."""
    built: Mapping[str, int] = field(default_factory=dict)
    """Field of the model → what it was built with, where that was solved."""
    violated: tuple[str, ...] = ()
    """Constraints that it breaks, which keep it from any rank."""
    pareto: bool = False
    """Whether no trial beats it in one objective without losing in another; False for all where
    there is one objective."""
    seeds: tuple[int, ...] = ()
    """Fresh seeds that its configuration was trained on again."""
    interval: Interval | None = None
    """The metric on validation data over these seeds; None while some are missing, or if one of
    them gave no usable model."""
    test_interval: Interval | None = None
    """The same on test data, for reporting."""
    unstable: str = ""
    """One line: which fresh seed gave no usable model, and why; empty if all did."""
    tie: bool | None = None
    """Whether nothing tells it from the first in rank: for the first, from any other. None where
    no seeds can tell."""


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
    objectives: tuple[str, ...] = ()
    """All objectives, the ranking metric first."""
    confirmed: bool = False
    """Whether the first ranks follow means over fresh seeds, not single scores of the search."""

    @classmethod
    def of(
        cls,
        spec: SweepSpec,
        records: Sequence[TrialRecord],
        *,
        baselines: Mapping[str, Any],
        finals: Mapping[str, Any],
        built: Mapping[int, Mapping[str, int]] | None = None,
        repeats: Repeats | None = None,
    ) -> Leaderboard:
        """Ranks what a study holds.

        Args:
            spec: of the sweep.
            records: of its trials.
            baselines: split → name → metric → value.
            finals: trial number as text → metric → value on test data.
            built: trial number → what its network was built with, where that was solved.
            repeats: of its best configurations on fresh seeds.
        """
        repeats = repeats or Repeats()
        ranking = rank(spec, records, repeats)
        by_number = {record.number: record for record in records}
        ranks = {number: place for place, number in enumerate(ranking.order, 1)}
        rest = [number for number in by_number if number not in ranks]

        def row(record: TrialRecord) -> Row:
            number = record.number
            return _row(
                record,
                spec.metric,
                ranks.get(number),
                ranking,
                repeats.of(number),
                finals.get(str(number), {}).get(spec.metric),
                (built or {}).get(number, {}),
            )

        return cls(
            name=spec.name,
            metric=spec.metric,
            maximize=spec.maximize,
            rows=tuple(row(by_number[number]) for number in [*ranking.order, *rest]),
            baselines=tuple(_baselines(baselines, spec.metric)),
            searched=tuple(p for p, q in spec.space.parameters.items() if q.domain.size != 1),
            objectives=tuple(objective.name for objective in spec.objectives),
            confirmed=ranking.confirmed,
        )

    @property
    def best(self) -> Row | None:
        """The first in rank; None while no trial is usable, or none keeps the constraints."""
        return self.rows[0] if self.rows and self.rows[0].rank else None

    @property
    def tied(self) -> tuple[Row, ...]:
        """The ranked rows that nothing tells from the best, without it."""
        return tuple(row for row in self.rows if row.tie and row.rank != 1)

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
        facts += ["reason", "note", "unstable", "tie"]
        found: dict[str, list[Any]] = {"trial": [row.number for row in self.rows]}
        for fact in facts:
            found[fact] = [getattr(row, fact) for row in self.rows]
        found["state"] = [row.state.value for row in self.rows]
        for prefix in ("", "test_"):
            intervals = [getattr(row, f"{prefix}interval") for row in self.rows]
            for end in ("mean", "low", "high"):
                found[f"{prefix}{end}"] = [i and getattr(i, end) for i in intervals]
        found["seeds"] = [len(row.seeds) for row in self.rows]
        found["pareto"] = [row.pareto for row in self.rows]
        found["violated"] = ["; ".join(row.violated) for row in self.rows]
        for name in sorted({name for row in self.rows for name in row.costs}):
            found[name] = [row.costs.get(name) for row in self.rows]
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
            "objectives": list(self.objectives),
            "confirmed": self.confirmed,
            "baselines": [vars(baseline) for baseline in self.baselines],
            "trials": rows,
        }


def _row(
    record: TrialRecord,
    metric: str,
    place: int | None,
    ranking: Ranking,
    seeds: Mapping[int, Repeat],
    test: float | None,
    built: Mapping[str, int],
) -> Row:
    number, outcome = record.number, record.outcome
    tests = [repeat.test[metric] for repeat in seeds.values() if repeat.test]
    broken = {seed: r.outcome for seed, r in seeds.items() if not r.outcome.usable}
    return Row(
        number=number,
        rank=place,
        state=outcome.state if outcome else State.RUNNING,
        value=outcome.value if outcome else None,
        test=test,
        epochs=outcome.epochs if outcome else 0,
        best_epoch=outcome.best_epoch if outcome else None,
        seconds=outcome.seconds if outcome else 0.0,
        reason=outcome.reason if outcome else "",
        note=outcome.note if outcome else "",
        metrics=outcome.metrics if outcome else {},
        values=record.values,
        costs=outcome.costs if outcome else {},
        built=built,
        violated=ranking.violated.get(number, ()),
        pareto=number in ranking.front,
        seeds=tuple(seeds),
        interval=ranking.intervals.get(number),
        test_interval=Interval.of(tests) if len(tests) == len(seeds) > 1 else None,
        unstable="; ".join(f"seed {s}: {o.state}, {o.reason}" for s, o in broken.items()),
        tie=ranking.ties.get(number),
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
