"""The honest winner: the best configurations of a search, trained again on fresh seeds."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

from tuner.context import seed_folder, trial_folder
from tuner.final import Call, Final, FinalLanes
from tuner.outcome import Outcome
from tuner.repeats import Repeat, Repeats
from tuner.results.live import Display
from tuner.results.ranking import candidates
from tuner.search.records import TrialRecord
from tuner.spec import SweepSpec

_USUAL = (3, 2)
"""Candidates where the spec names no number, the most that are affordable."""
_AFFORDABLE = 0.5
"""Epochs for fresh seeds as a share of the search's, where the spec names no number: a sweep under
early stopping would otherwise wait longer for its winner than for its trials."""
_RESERVED = 1 / 3
"""At most this share of a sweep's hours is kept free for fresh seeds."""

_SPARE = 1.25
"""Fresh seeds may stop later than the trials that tell how long they will take."""

_LOOK_SECONDS = 5.0
"""Between two estimates of how long fresh seeds will take."""


def chosen(spec: SweepSpec, records: Sequence[TrialRecord]) -> tuple[int, ...]:
    """The trials that are to compete on fresh seeds; one alone needs none unless it is asked for.

    Follows from the spec and the study alone, so that a resumed sweep chooses the same.
    """
    if spec.search.confirm is not None:
        return candidates(spec, records, spec.search.confirm)
    spent = {r.number: r.outcome.epochs for r in records if r.outcome is not None}
    for number in _USUAL:
        best = candidates(spec, records, number)
        cost = spec.search.seeds * sum(spent[candidate] for candidate in best)
        if len(best) == number and cost <= _AFFORDABLE * sum(spent.values()):
            return best
    return ()


def reserve(spec: SweepSpec, records: Sequence[TrialRecord], lanes: int) -> float:
    """Seconds at the end of a sweep's hours that the fresh seeds will want."""
    assert spec.search.hours is not None
    spent = {r.number: r.outcome.seconds for r in records if r.outcome is not None}
    each = [spent[number] for number in chosen(spec, records)] * spec.search.seeds
    # The last of them begins when a lane is free, and takes as long as it takes alone.
    wanted = max(sum(each) / lanes, max(each, default=0.0))
    return min(_SPARE * wanted, _RESERVED * 3600 * spec.search.hours)


class SearchClock:
    """Whether a sweep's time for trials is up: its hours, less what fresh seeds will want."""

    def __init__(
        self,
        spec: SweepSpec,
        records: Callable[[], Sequence[TrialRecord]],
        lanes: int,
        deadline: float | None,
    ) -> None:
        self._spec, self._records, self._lanes = spec, records, lanes
        self._deadline = deadline
        self._reserved = self._next_look = 0.0

    def __call__(self) -> bool:
        """Whether no trial should go on."""
        if self._deadline is None:
            return False
        now = time.monotonic()
        if now >= self._next_look:
            self._reserved = reserve(self._spec, self._records(), self._lanes)
            self._next_look = now + _LOOK_SECONDS
        return now > self._deadline - self._reserved


class Confirmation:
    """Trains what is missing of the fresh seeds, and keeps what came of each at once.

    Args:
        spec: of the sweep.
        folder: of the sweep.
        records: of its trials.
        deadline: on the monotonic clock; None where the sweep has no hours.
    """

    def __init__(
        self,
        spec: SweepSpec,
        folder: Path,
        records: Sequence[TrialRecord],
        deadline: float | None,
        display: Display,
    ) -> None:
        self._spec, self._folder, self._display = spec, folder, display
        self._records = {record.number: record for record in records}
        self._deadline = deadline
        competing = chosen(spec, records)
        self.repeats = replace(
            Repeats.read(folder),
            candidates=competing,
            seeds=_fresh(records, spec.search.seeds) if competing else (),
        )
        self.repeats.write(folder)

    def run(self, lanes: FinalLanes) -> None:
        """Trains every candidate on every seed, or on as many as the sweep's hours leave room for.

        Fewer than two seeds tell nothing: then the search alone ranks, and a warning says so.
        """
        missing = self.repeats.missing()
        if not missing:
            return
        numbers = ", ".join(map(str, self.repeats.candidates))
        self._display.message(
            f"training the best configurations again on fresh seeds: trials {numbers}"
        )
        lanes.do(self._calls(missing), len(missing))
        if self.repeats.missing():
            whole = [s for s in self.repeats.seeds if self._all_have(s)]
            short = len(whole) < 2
            if short:
                self._display.warning(
                    "the sweep's hours left no room for two fresh seeds: the winner is the best "
                    f"of one search, and may be its luckiest. `tuner resume {self._spec.name} "
                    f"--confirm {len(self.repeats.candidates)}` goes on."
                )
            left = () if short else self.repeats.candidates
            self.repeats = replace(self.repeats, candidates=left, seeds=tuple(whole))
            self.repeats.write(self._folder)

    def untested(self) -> list[tuple[Final, Outcome]]:
        """Models of fresh seeds that the test split has not seen."""
        return [
            (Final(record=self._records[number], seed=seed), repeat.outcome)
            for number in self.repeats.candidates
            for seed, repeat in self.repeats.of(number).items()
            if repeat.outcome.usable and not repeat.test
        ]

    def tested(self, final: Final, scores: dict[str, float]) -> None:
        """Keeps what the test split said of one model."""
        assert final.seed is not None
        number = final.record.number
        repeat = self.repeats.of(number)[final.seed]
        self.repeats = self.repeats.with_repeat(number, final.seed, replace(repeat, test=scores))
        self.repeats.write(self._folder)

    def clean(self) -> None:
        """Deletes the weights of fresh seeds, which nothing asks for any more."""
        for number in self._records:
            folder = self._folder / trial_folder(number)
            shutil.rmtree(seed_folder(folder, 0).parent, ignore_errors=True)

    def _calls(self, missing: list[tuple[int, int]]) -> Iterator[Call]:
        for number, seed in missing:
            record = self._records[number]
            assert record.outcome is not None
            needed = time.monotonic() + record.outcome.seconds
            if self._deadline is not None and needed > self._deadline:
                return
            yield self._call(Final(record=record, seed=seed))

    def _call(self, final: Final) -> Call:
        def done(outcome: Outcome) -> None:
            number, seed = final.record.number, final.seed
            assert seed is not None
            self.repeats = self.repeats.with_repeat(number, seed, Repeat(outcome=outcome))
            self.repeats.write(self._folder)
            total = len(self.repeats.candidates) * len(self.repeats.seeds)
            ended = total - len(self.repeats.missing())
            self._display.repeated(number, seed, outcome, self._spec.metric, ended, total)

        return Call(method="train", arguments=(final,), done=done)

    def _all_have(self, seed: int) -> bool:
        return all(seed in self.repeats.of(number) for number in self.repeats.candidates)


def _fresh(records: Sequence[TrialRecord], number: int) -> tuple[int, ...]:
    """The first seeds that no trial was trained on."""
    used = {record.values.get("training/seed", 0) for record in records}
    return tuple(islice((seed for seed in count(1) if seed not in used), number))
