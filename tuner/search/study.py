"""One search: what to try next, whom to stop, and the memory of both."""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Literal

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from search_spaces import Scalar, Space, Values
from tuner.outcome import Outcome, State, outcome_from_json, outcome_to_json
from tuner.search import compile as units
from tuner.search import samplers, schedulers
from tuner.search.config import SearchConfig
from tuner.search.objectives import Constraint, Objective, figures, violated
from tuner.search.records import Suggestion, TrialRecord
from tuner.search.storage import NAME, Storage, decode, read

MAX_DUPLICATES = 5
"""Suggestions in a row that were made before, until one is drawn at random."""
_RANDOM_DRAWS = 1000
_METRIC_NAMES = "study:metric_names"
"""Where Optuna keeps the names of objectives, which its dashboard shows."""
_CONSTRAINT = "constraints:"
"""What Optuna's own names of constraints begin with."""
_STANDS = {State.COMPLETE, State.TIMEOUT}
"""Ends after which a trial counts at the rungs that it has not reached."""


class Search:
    """Joins a space, a sampler, a scheduler and the study in a folder. Not for several threads.

    Opening a folder that holds a study goes on with it: every later suggestion and decision is
    what it would have been without the interruption.

    Args:
        space: What may vary.
        config: Who proposes, who stops.
        storage: The folder.
        direction: Which way the metric is better.
        max_epochs: The largest full budget of a trial.
        objectives: All of them, the metric first; none stands for the metric alone.
        constraints: Bounds that a good trial keeps.
        read_only: Only look, at what another process may be writing.
    """

    def __init__(
        self,
        space: Space,
        config: SearchConfig,
        storage: Path,
        direction: Literal["minimize", "maximize"],
        max_epochs: int,
        *,
        objectives: Sequence[Objective] = (),
        constraints: Sequence[Constraint] = (),
        read_only: bool = False,
    ) -> None:
        self._space, self._config = space, config
        self._sign = -1.0 if direction == "maximize" else 1.0
        first = Objective(name="value", maximize=direction == "maximize")
        self._objectives, self._constraints = objectives or [first], constraints
        ways = [
            StudyDirection.MAXIMIZE if objective.maximize else StudyDirection.MINIMIZE
            for objective in self._objectives
        ]
        self._rule = schedulers.make(config, max_epochs)
        self._plan = samplers.make_plan(space, config)
        self._writer = None if read_only else Storage(storage, ways, config.storage)
        self._memory = InMemoryStorage()
        self._study_id = self._memory.create_new_study(ways, NAME)
        self._study = optuna.load_study(study_name=NAME, storage=self._memory)
        self._seen: set[tuple[tuple[str, Scalar], ...]] = set()
        self._size = space.size()
        if self._writer is None:
            self._recall(read(storage))
        else:
            names = [objective.name for objective in self._objectives]
            self._writer.keep_attrs({_METRIC_NAMES: names})
            for key, value in self._writer.attrs().items():
                self._memory.set_study_system_attr(self._study_id, key, value)
            self._recall(self._writer.trials())

    def ask(self) -> Suggestion | None:
        """The next configuration; None when the space or the grid has no more.

        Trial 0 is the untuned configuration. A configuration that was suggested before is told
        as failed and replaced.
        """
        while self._size is None or len(self._seen) < self._size:
            trial = self._draft(self._num_trials())
            if trial is None:
                return None
            values = decode(trial, "values")
            # The suggestion is complete, and the file gets it whole or not at all.
            self._disk.keep_attrs(self._memory.get_study_system_attrs(self._study_id))
            if _key(values) not in self._seen:
                self._disk.add(trial)
                self._seen.add(_key(values))
                return Suggestion(number=trial.number, values=values)
            self._memory.set_trial_user_attr(trial.number, "duplicate", True)
            self._memory.set_trial_state_values(trial.number, TrialState.FAIL)
            self._disk.add(self._memory.get_trial(trial.number))
        return None

    def rungs(self, number: int) -> tuple[int, ...]:
        """The epochs at which a trial is judged: it must report there, and need not elsewhere."""
        return self._rule.rungs(number)

    def epoch(self, number: int, epoch: int, best: float) -> bool:
        """Hears a trial's best value so far; returns whether to stop it.

        A value that is not finite is no ground to stop: divergence is the trial's own end. Trial 0
        is judged, but never stopped: tuning must beat what it reaches under the full budget.
        """
        if epoch not in self._rule.rungs(number) or not math.isfinite(best):
            return False
        self._mark(number, epoch, best)
        stop = self._rule.report(number, epoch, self._sign * best)
        return stop and number > 0

    def tell(self, number: int, outcome: Outcome) -> None:
        """Hears how a running trial ended."""
        trial = self._memory.get_trial(number)
        assert not trial.state.is_finished(), f"trial {number} has already ended"
        text = json.dumps(outcome_to_json(outcome))
        known = figures(outcome, self._objectives[0].name)
        state = self._study_state(outcome, known)
        values = [] if state is TrialState.FAIL else self._values(known)
        bounds = {f"{_CONSTRAINT}{c}": c.excess(known[c.name]) for c in self._known(known)}
        last = self._memory.get_trial(number).last_step or 0
        mark: tuple[int, float] | None = None
        if state is TrialState.PRUNED and values and outcome.epochs > last:
            # TPE ranks pruned trials by their last step and the value there.
            mark = outcome.epochs, values[0]
        self._disk.finish(number, state, values, text, mark, bounds)
        if mark is not None:
            self._memory.set_trial_intermediate_value(number, *mark)
            if outcome.epochs in self._rule.rungs(number):
                self._rule.report(number, outcome.epochs, self._sign * mark[1])
        self._stand(number, outcome)
        self._memory.set_trial_user_attr(number, "outcome", text)
        for name, excess in bounds.items():
            self._memory.set_trial_system_attr(number, name, excess)
        self._memory.set_trial_state_values(number, state, values or None)

    def outcome(self, number: int) -> Outcome | None:
        """How a trial ended; None while it has not."""
        trial = self._memory.get_trial(number)
        return _outcome(trial) if trial.state.is_finished() else None

    def unfinished(self) -> list[Suggestion]:
        """Trials that were suggested and have not ended, by number."""
        return [
            Suggestion(number=r.number, values=r.values)
            for r in self.records()
            if r.outcome is None
        ]

    def records(self) -> list[TrialRecord]:
        """All trials by number, replaced duplicates left out."""
        return [
            TrialRecord(
                number=trial.number,
                values=decode(trial, "values"),
                outcome=_outcome(trial),
                rungs=dict(trial.intermediate_values),
                ended=trial.datetime_complete,
            )
            for trial in self._memory.get_all_trials(self._study_id, deepcopy=False)
            if not _is_duplicate(trial)
        ]

    @property
    def num_suggested(self) -> int:
        """Configurations suggested so far, replaced duplicates left out."""
        return len(self._seen)

    def close(self) -> None:
        """Releases the study's file."""
        if self._writer is not None:
            self._writer.close()

    @property
    def _disk(self) -> Storage:
        """Where to write.

        Raises:
            RuntimeError: the search was opened for reading.
        """
        if self._writer is None:
            raise RuntimeError("a search that was opened for reading cannot ask or tell")
        return self._writer

    def _recall(self, trials: list[FrozenTrial]) -> None:
        """Brings what the disk holds into memory."""
        for trial in trials:
            trial_id = self._memory.create_new_trial(self._study_id, template_trial=trial)
            # All that a sampler notes about trials refers to these identifiers.
            assert trial_id == trial.number
            if _is_duplicate(trial):
                continue
            self._seen.add(_key(decode(trial, "values")))
            rungs = self._rule.rungs(trial.number)
            for step, value in trial.intermediate_values.items():
                if step in rungs:
                    self._rule.report(trial.number, step, self._sign * value)
            if (outcome := _outcome(trial)) is not None:
                self._stand(trial.number, outcome)

    def _draft(self, number: int) -> FrozenTrial | None:
        """A whole trial in memory, running, not yet on disk."""
        if number == 0:
            values: Values | None = self._space.defaults()
        elif self._num_duplicates(number) >= MAX_DUPLICATES:
            values = self._unseen(number)
        elif self._plan is not None:
            values = self._plan(number)
        else:
            return self._sampled(number)
        if values is None:
            return None
        params, distributions = units.encode(self._space, values)
        draft = create_trial(
            state=TrialState.RUNNING,
            params=params,
            distributions=distributions,
            user_attrs={"values": json.dumps(values)},
        )
        self._memory.create_new_trial(self._study_id, template_trial=draft)
        return self._memory.get_trial(number)

    def _sampled(self, number: int) -> FrozenTrial:
        self._study.sampler = samplers.make(
            self._space, self._config, number, num_objectives=len(self._objectives)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            trial = self._study.ask()
            values = units.suggest(self._space, trial)
        assert trial.number == number
        self._memory.set_trial_user_attr(number, "values", json.dumps(values))
        return self._memory.get_trial(number)

    def _unseen(self, number: int) -> Values | None:
        """A random configuration that was never suggested; None when there is none."""
        random = Random(samplers.seed_of(self._config.seed, number))
        for _ in range(_RANDOM_DRAWS):
            values = self._space.sample(random)
            if _key(values) not in self._seen:
                return values
        if self._size is None:
            return None
        every = self._space.grid(sys.maxsize)
        return next((values for values in every if _key(values) not in self._seen), None)

    def _num_duplicates(self, number: int) -> int:
        """Duplicates directly before a trial; counted in the study, so that resume agrees."""
        count = 0
        while count < number and _is_duplicate(self._memory.get_trial(number - count - 1)):
            count += 1
        return count

    def _num_trials(self) -> int:
        return self._memory.get_n_trials(self._study_id)

    def _study_state(self, outcome: Outcome, known: Mapping[str, float]) -> TrialState:
        """What a sampler may learn from an end: that a model costs too much, and a bad value from
        a diverged trial, too. With several objectives an early end has no place among the others.
        """
        if outcome.state is State.INFEASIBLE and violated(self._constraints, known):
            return TrialState.PRUNED
        if outcome.value is None or len(self._values(known)) < len(self._objectives):
            return TrialState.FAIL
        if outcome.state is State.COMPLETE:
            return TrialState.COMPLETE
        early = {State.PRUNED, State.TIMEOUT, State.DIVERGED}
        if outcome.state in early and len(self._objectives) == 1:
            return TrialState.PRUNED
        return TrialState.FAIL

    def _values(self, known: Mapping[str, float]) -> list[float]:
        """A trial's objectives; none where one is not known."""
        found = [known[o.name] for o in self._objectives if o.name in known]
        return found if len(found) == len(self._objectives) else []

    def _known(self, known: Mapping[str, float]) -> list[Constraint]:
        return [constraint for constraint in self._constraints if constraint.name in known]

    def _stand(self, number: int, outcome: Outcome) -> None:
        if violated(self._constraints, figures(outcome, self._objectives[0].name)):
            return
        if outcome.state in _STANDS and outcome.value is not None:
            self._rule.ended(number, self._sign * outcome.value)

    def _mark(self, number: int, step: int, value: float) -> None:
        self._disk.mark(number, step, value)
        self._memory.set_trial_intermediate_value(number, step, value)


def _outcome(trial: FrozenTrial) -> Outcome | None:
    data = decode(trial, "outcome")
    return None if data is None else outcome_from_json(data)


def _is_duplicate(trial: FrozenTrial) -> bool:
    return "duplicate" in trial.user_attrs


def _key(values: Values) -> tuple[tuple[str, Scalar], ...]:
    return tuple(sorted(values.items()))
