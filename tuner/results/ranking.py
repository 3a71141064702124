"""Who stands where: the order of trials, those that nothing tells apart, and the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuner.outcome import tie_breaker
from tuner.repeats import Repeats
from tuner.results.interval import Interval, differ
from tuner.search.objectives import figures, pareto, violated

if TYPE_CHECKING:
    from tuner.search.records import TrialRecord
    from tuner.spec import SweepSpec


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """The numbers of the trials of one sweep, in several lights."""

    order: Sequence[int]
    """Ranked trials, the best first; a diverged one or one that breaks a constraint has no rank."""
    violated: Mapping[int, tuple[str, ...]]
    front: set[int]
    """The Pareto front; empty with one objective."""
    intervals: Mapping[int, Interval]
    """Over fresh seeds, of those that all of them gave a usable model."""
    ties: Mapping[int, bool]
    confirmed: bool


def rank(spec: SweepSpec, records: Sequence[TrialRecord], repeats: Repeats) -> Ranking:
    """Ranks trials by their best score, of equals by their loss, and the first few by their mean
    over fresh seeds.

    Means rank only once all candidates have theirs. A configuration that some seed breaks stands
    behind those that none does.
    """
    first = spec.objectives[0]
    known = {r.number: figures(r.outcome, spec.metric) for r in records if r.outcome is not None}
    breaks = {n: tuple(map(str, violated(spec.constraints, f))) for n, f in known.items()}
    usable = {
        record.number: (first.loss(record.outcome.value), tie_breaker(record.outcome.metrics))
        for record in records
        if record.outcome is not None and record.outcome.usable and not breaks[record.number]
        if record.outcome.value is not None
    }
    order = sorted(usable, key=lambda number: (usable[number], number))
    intervals = {n: found for n in repeats.trained if (found := _interval(repeats, n)) is not None}
    candidates = [number for number in order if number in repeats.candidates]
    confirmed = repeats.complete and bool(candidates)
    ties: dict[int, bool] = {}
    if confirmed:
        sound = [number for number in candidates if number in intervals]
        sound.sort(key=lambda number: first.loss(intervals[number].mean))
        broken = [number for number in candidates if number not in sound]
        order = [*sound, *broken, *(n for n in order if n not in candidates)]
        ties = _ties(sound, intervals)
    return Ranking(
        order=order,
        violated={number: names for number, names in breaks.items() if names},
        front=_front(spec, {n: known[n] for n in order}),
        intervals=intervals,
        ties=ties,
        confirmed=confirmed,
    )


def candidates(spec: SweepSpec, records: Sequence[TrialRecord], count: int) -> tuple[int, ...]:
    """The numbers of the best trials by their scores in the search."""
    return tuple(rank(spec, records, Repeats()).order[:count])


def _interval(repeats: Repeats, number: int) -> Interval | None:
    outcomes = [repeat.outcome for repeat in repeats.of(number).values()]
    values = [o.value for o in outcomes if o.usable and o.value is not None]
    return Interval.of(values) if len(values) == len(outcomes) > 1 else None


def _ties(sound: Sequence[int], intervals: Mapping[int, Interval]) -> dict[int, bool]:
    """Whether each is a match for the first; for the first, whether any other is."""
    if not sound:
        return {}
    first, *others = sound
    same = {
        number: not differ(intervals[first], intervals[number], len(others)) for number in others
    }
    return {first: any(same.values()), **same}


def _front(spec: SweepSpec, known: Mapping[int, Mapping[str, float]]) -> set[int]:
    if len(spec.objectives) < 2:
        return set()
    return pareto(
        {
            number: [o.loss(mine[o.name]) for o in spec.objectives]
            for number, mine in known.items()
            if all(o.name in mine for o in spec.objectives)
        }
    )
