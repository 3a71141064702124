"""The long part of a sweep: connect, search, train the best again, score the final models."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from cluster import Plan, Resources
from cluster.connect import set_environment
from tuner.context import Context, trial_key
from tuner.copies import Copy
from tuner.errors import Interrupted, NoRoom, StudyUnreachable, SweepFailed
from tuner.files import write_text
from tuner.home import FINISHED
from tuner.interruption import Interruption
from tuner.nodes import connection, fitting, planned
from tuner.outcome import State
from tuner.results.leaderboard import Leaderboard
from tuner.results.live import Display
from tuner.results.tables import to_csv
from tuner.room import FewerWorkers, Room

if TYPE_CHECKING:
    from tuner.confirm import Confirmation
    from tuner.final import FinalLanes
    from tuner.record import Recorder
    from tuner.search.records import TrialRecord
    from tuner.search.study import Search
    from tuner.sweep import Sweep

FLUSH_SECONDS = 60.0
"""How long the end of a sweep waits for the tracking server."""


class Work:
    """One go at a sweep whose folder is there.

    Args:
        sweep: what is worked on.
        display: hears how it goes.
        searches: whether trials are wanted; else only what a finished search lacks.
    """

    def __init__(self, sweep: Sweep, display: Display, *, searches: bool = True) -> None:
        self.sweep, self.spec, self.folder = sweep, sweep.spec, sweep.folder
        self._display, self._began = display, time.monotonic()
        self._searches = searches

    def run(self, *, offline: bool) -> Leaderboard:
        """Connect, search, score; every way out leaves the folder ready for `resume`.

        Whoever calls holds the sweep's lock.
        """
        if self.sweep.objects is None:
            return self._run(None, offline=offline)
        copy = Copy(self.folder, self.sweep.objects)
        try:
            return self._run(copy, offline=offline)
        finally:
            if problem := copy.end():
                self._display.warning(problem)

    def _run(self, copy: Copy | None, *, offline: bool) -> Leaderboard:
        name = self.spec.name
        message = f"interrupted; `tuner resume {name}` goes on"
        with Interruption(message) as interruption:
            set_environment(self.sweep.cluster)
            from tuner.confirm import Confirmation
            from tuner.final import FinalLanes
            from tuner.record import Recorder
            from tuner.tracking.tracker import Tracker

            uri = None if offline else self.sweep.home.tracking_uri(self.spec.tracking.uri)
            tracker = Tracker(uri, name, self.folder)
            search = self.sweep.study()
            recorder = Recorder(
                self.spec, self.folder, search, tracker, self._display, interruption.check
            )
            context = self.sweep.context
            try:
                if copy is not None:
                    self._display.message("copying the data to the object store")
                    context = replace(context, remote=copy.begin())
                recorder.open(self.sweep.card())
                if self.sweep.cluster.entry is None:
                    self._display.message("starting Ray")
                with connection(self.sweep.cluster) as joined:
                    lanes = planned(self.spec, joined.nodes())
                    with interruption.deferred():
                        resources = self._measured(context, lanes)
                    interruption.check()
                    context = replace(context, resources=resources)
                    room = Room(
                        joined, context.resources, self.sweep.cluster.patience, self._display
                    )
                    recorder.watch(room.check)
                    while True:
                        lanes = room.first()
                        self._display.message(f"training on {lanes}")
                        context = replace(context, resources=lanes.resources)
                        try:
                            with interruption.deferred():
                                self._search(search, recorder, context, lanes.lanes)
                            break
                        except FewerWorkers as fewer:
                            # Unfinished trials go on from their checkpoints, as after `resume`.
                            self._display.message(str(fewer))
                    interruption.check()
                    records = search.records()
                    confirmation = Confirmation(
                        self.spec, self.folder, records, self._deadline, self._display
                    )
                    with FinalLanes(context, lanes.lanes, interruption) as final_lanes:
                        confirmation.run(final_lanes)
                        self._score(records, confirmation, final_lanes)
                    if copy is not None:
                        copy.fetch()
                    confirmation.clean()
                board = self.sweep.board(search.records())
                write_text(self.folder / "leaderboard.csv", to_csv(board))
                recorder.close(board)
                self._display.message("delivering to MLflow")
                tracker.start()
                tracker.flush(FLUSH_SECONDS)
            except SystemExit:
                # Ray's own way to take SIGTERM while it starts.
                recorder.abandon("KILLED")
                raise Interrupted(message, signal.SIGTERM) from None
            except BaseException as stopped:
                goes_on = isinstance(stopped, Interrupted | NoRoom | StudyUnreachable)
                recorder.abandon("KILLED" if goes_on else "FAILED")
                raise
            finally:
                search.close()
                tracker.close(5.0)
            write_text(
                self.folder / FINISHED, json.dumps({"seconds": time.monotonic() - self._began})
            )
        return board

    def _measured(self, context: Context, lanes: Plan) -> Resources:
        """What a trial takes, with its memory where that may be scarcer than CPUs.

        Raises:
            PlanError: no node has as much.
        """
        from tuner import probe
        from tuner.memory import largest

        found = cache(lambda: largest(self.spec, self.sweep.card()))
        if not probe.is_wanted(lanes, lambda: found()[2]):
            return context.resources
        self._display.message("measuring the memory of a lane")
        values = found()[1] or self.spec.space.defaults()
        try:
            needed = probe.on_cluster(context, values).needed(context.resources)
        except probe.NotMeasured as failed:
            self._display.warning(f"no lane's memory was measured: {failed}")
            return context.resources
        fitting(lanes.nodes, needed)
        return needed

    def _search(self, search: Search, recorder: Recorder, context: Context, lanes: int) -> None:
        """Trains until the budget is spent."""
        wanted = search.unfinished() or search.num_suggested < self.spec.search.trials
        if self._searches and wanted:
            self._tune(search, recorder, context, lanes)
        recorder.settle()
        if not any(r.outcome and r.outcome.usable for r in search.records()):
            raise SweepFailed(_why_all_failed(search.records()))

    def _tune(self, search: Search, recorder: Recorder, context: Context, lanes: int) -> None:
        """Runs Ray Tune, whose state is thrown away."""
        # Under any search algorithm Tune prepares one trial at a time, which leaves lanes idle.
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(lanes)
        from ray import tune

        from tuner.confirm import SearchClock
        from tuner.search.tune import TuneScheduler, TuneSearcher, skip_telemetry
        from tuner.trainable import LaneTrainable

        is_over = SearchClock(self.spec, search.records, lanes, self._deadline)
        searcher = TuneSearcher(
            search, self.spec.search.trials, lambda: is_over() or recorder.hopeless
        )
        trainable = tune.with_resources(
            tune.with_parameters(LaneTrainable, context=context),
            tune.PlacementGroupFactory(context.resources.bundles()),
        )
        scratch = self.folder / "tune"
        skip_telemetry()
        try:
            tune.Tuner(
                trainable,
                tune_config=tune.TuneConfig(
                    search_alg=searcher,
                    scheduler=TuneScheduler(
                        search, searcher, is_over, lanes, self.spec.search.trial_hours
                    ),
                    num_samples=-1,
                    max_concurrent_trials=lanes,
                    reuse_actors=True,
                    trial_name_creator=_trial_name,
                    trial_dirname_creator=_trial_name,
                ),
                run_config=tune.RunConfig(
                    name="state",
                    storage_path=str(scratch),
                    callbacks=[recorder],
                    failure_config=tune.FailureConfig(max_failures=3),
                    verbose=0,
                ),
            ).fit()
        except tune.TuneError as failed:
            # What a callback raised is the context of Tune's own, which tells it as a text.
            if isinstance(failed.__context__, StudyUnreachable):
                raise failed.__context__ from None
            raise
        finally:
            # Tune's own state is disposable: the study and the checkpoints are the truth.
            shutil.rmtree(scratch, ignore_errors=True)

    @property
    def _deadline(self) -> float | None:
        hours = self.spec.search.hours if self._searches else None
        return None if hours is None else self._began + 3600 * hours

    def _score(
        self,
        records: Sequence[TrialRecord],
        confirmation: Confirmation,
        lanes: FinalLanes,
    ) -> None:
        """Scores the winner, the default and all fresh seeds on the test split, once each for all
        time. Without one, exhibits of the winner are made on its validation rows."""
        from tuner.final import Scores

        card = self.sweep.card()
        tested = card.num_sequences.get("test", 0) > 0
        # With folds there is no model that has not seen them; `confirm: 0` ends with the search.
        if not tested and (card.num_folds or self.spec.search.confirm == 0):
            return
        best = self.sweep.board(records).best
        wanted = {0} if tested else set()
        if best is not None:
            wanted.add(best.number)
        scores = Scores(self.folder, folds=card.num_folds > 0, tested=tested)
        own = scores.missing([record for record in records if record.number in wanted])
        if own and tested:
            numbers = " and ".join(str(final.record.number) for final, _ in own)
            self._display.message(f"scoring the final models of trials {numbers} on the test data")
        seeds = confirmation.untested() if tested else []
        calls = [scores.call(*each, scores.keep) for each in own]
        calls += [scores.call(*each, confirmation.tested) for each in seeds]
        lanes.do(calls, len(calls))


def _trial_name(trial: Any) -> str:
    return f"{trial_key(trial.config['number'])}-{trial.trial_id}"


def _why_all_failed(records: Sequence[Any]) -> str:
    """One line: the most frequent reason, once."""
    records = [r for r in records if r.outcome is not None]
    reasons = [f"{r.outcome.state}: {r.outcome.reason}" for r in records]
    if not reasons:
        return "no trial ended before the sweep's hours were over"
    first = max(set(reasons), key=reasons.count)
    number = records[reasons.index(first)].number
    where = f"; see trials/{number:04d}/error.txt" if first.startswith(State.FAILED) else ""
    return f"all {len(reasons)} trials failed, {reasons.count(first)} with {first}{where}"
