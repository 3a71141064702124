"""Run and resume: joins spec, data, search, lanes and tracking into one sweep."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.connect import set_environment
from cluster.spec import ClusterSpec
from tuner import cluster_file, lock, versions
from tuner.context import Context
from tuner.errors import (
    CommandError,
    InputError,
    Interrupted,
    Mistake,
    NoRoom,
    NotDelivered,
    PlanError,
    StudyUnreachable,
    SweepFailed,
)
from tuner.export.wanted import MAX_LOSS, Wanted
from tuner.files import write_text
from tuner.home import FINALS, SPEC, Home
from tuner.interruption import Interruption
from tuner.nodes import connection, looked_over, planned, resources
from tuner.outcome import State
from tuner.repeats import Repeats
from tuner.results.built import built
from tuner.results.leaderboard import Leaderboard
from tuner.results.live import Display, Silent
from tuner.results.tables import to_csv, unwritable
from tuner.room import FewerWorkers, Room
from tuner.spec import SweepSpec, differences
from tuner.spec_reader import load

if TYPE_CHECKING:
    from tuner.confirm import Confirmation
    from tuner.data.card import DataCard
    from tuner.final import FinalLanes
    from tuner.record import Recorder
    from tuner.search.records import TrialRecord
    from tuner.search.study import Search

_BUDGET = "budget.json"
_FINISHED = "finished.json"
_BASELINES = "baselines.json"

PARTS = "parts"
"""The user's own parts, where every node of a cluster finds them."""
FLUSH_SECONDS = 60.0
"""How long the end of a sweep waits for the tracking server."""


class Sweep:
    """One sweep in its folder; made by `from_file` or `open`."""

    def __init__(self, spec: SweepSpec, home: Home, cluster: ClusterSpec | None) -> None:
        self.spec, self.home, self._cluster = spec, home, cluster
        self.folder = home.folder(spec.name)

    @classmethod
    def from_file(
        cls,
        path: Path | str,
        *,
        home: Path | str | None = None,
        settings: Sequence[str] = (),
        name: str | None = None,
        trials: int | None = None,
        hours: float | None = None,
        cluster: Path | str | None = None,
    ) -> Sweep:
        """Reads and checks a spec; creates nothing.

        Args:
            home: folder of all state; the cluster's storage if it names one, else `./sweeps`.
            cluster: a cluster file; the Ray at RAY_ADDRESS, else this machine if None.

        Raises:
            SpecError: every mistake of the spec.
            ClusterError: every mistake of the cluster file.
            CommandError: a sweep of this name exists and was interrupted, runs, or differs.
        """
        where = cluster_file.load(Path(cluster)) if cluster else None
        spec = load(Path(path), settings=settings, name=name, trials=trials, hours=hours)
        sweep = cls(spec, Home(home, where), where)
        sweep._refuse_other()
        return sweep

    @classmethod
    def open(
        cls, name: str, *, home: Path | str | None = None, cluster: Path | str | None = None
    ) -> Sweep:
        """A sweep that exists.

        Raises:
            ClusterError: every mistake of the cluster file.
            CommandError: there is none of this name, or it was made by a newer version.
        """
        where = cluster_file.load(Path(cluster)) if cluster else None
        place = Home(home, where)
        folder = place.existing(name)
        spec = SweepSpec.from_data(json.loads((folder / SPEC).read_text(encoding="utf-8")))
        if (folder / _BUDGET).exists():
            spec = spec.with_budget(**json.loads((folder / _BUDGET).read_text(encoding="utf-8")))
        return cls(spec, place, where)

    @property
    def cluster(self) -> ClusterSpec:
        """Where it runs: by the cluster file, else the Ray at RAY_ADDRESS, else this machine.

        Raises:
            ClusterError: RAY_ADDRESS is no address.
        """
        return self._cluster or cluster_file.from_environment()

    @property
    def finished(self) -> bool:
        """Whether its budget is spent and its final models are scored."""
        return (self.folder / _FINISHED).exists()

    @property
    def status(self) -> str:
        """`new`, `running`, `interrupted` or `finished`."""
        if not (self.folder / SPEC).exists():
            return "new"
        if lock.holder(self.folder):
            return "running"
        return "finished" if self.finished else "interrupted"

    @property
    def context(self) -> Context:
        """What its trials share."""
        return Context(
            resources=resources(self.spec),
            folder=str(self.folder),
            task=self.spec.task,
            metric=self.spec.metric,
            maximize=self.spec.maximize,
            parts=tuple(map(str, (self.folder / PARTS, self.spec.root))),
            latency="latency_ms" in self.spec.asked,
            constraints=self.spec.constraints,
        )

    def run(self, display: Display | None = None, *, offline: bool = False) -> Leaderboard:
        """Prepares the data, trains all trials, scores the final models.

        Raises:
            InputError: data, machines or tracking cannot serve this sweep; nothing was created.
            SweepFailed: no trial gave a usable model.
            Interrupted: by a signal; `resume` goes on.
        """
        if self.status != "new":
            self._refuse_other()
            return self.leaderboard()
        display = display or Silent()
        with self._met(display):
            self._refuse(offline)
            self._create(display)
            return self._work(display, offline)

    def prepare(self, display: Display | None = None, *, offline: bool = False) -> None:
        """Checks what can be checked from outside a cluster, and makes the sweep's folder, for
        `resume` to run.

        Raises:
            InputError: as `run`.
        """
        display = display or Silent()
        with self._met(display) if self.cluster.entry is None else nullcontext():
            self._refuse(offline)
            self._create(display)

    def resume(
        self,
        display: Display | None = None,
        *,
        more_trials: int | None = None,
        hours: float | None = None,
        confirm: int | None = None,
        offline: bool = False,
    ) -> Leaderboard:
        """Goes on after an interruption, or with a larger budget.

        Args:
            more_trials: beside those that it has.
            hours: time limit from now on.
            confirm: of the best configurations so many are trained again on fresh seeds.

        Raises:
            CommandError: another process runs it.
            DataError: the data changed since the sweep began.
            SweepFailed, Interrupted: as `run`.
        """
        if self.finished and not more_trials and confirm is None:
            return self.leaderboard()
        display = display or Silent()
        with self._met(display):
            self._refuse(offline)
            self.refuse_changed_data()
            with lock.held(self.folder, self.spec.name):
                if more_trials or hours or confirm is not None:
                    total = self.spec.search.trials + (more_trials or 0)
                    self.spec = self.spec.with_budget(trials=total, hours=hours, confirm=confirm)
                    search = self.spec.search
                    budget = {"trials": total, "hours": search.hours, "confirm": search.confirm}
                    write_text(self.folder / _BUDGET, json.dumps(budget))
                if self.cluster.entry is not None:
                    self._take_parts_along(self.folder)
                (self.folder / _FINISHED).unlink(missing_ok=True)
                # The search ranks alone until it is over again.
                replace(Repeats.read(self.folder), candidates=()).write(self.folder)
            return self._work(display, offline)

    def leaderboard(self) -> Leaderboard:
        """The trials as they stand, ranked on validation data."""
        return self._board(self._records())

    def report(self, to: Path) -> None:
        """Writes one page that needs nothing else: what was found, what it cost, how to repeat it.

        Raises:
            CommandError: the file cannot be written.
        """
        from tuner.results import report
        from tuner.results.report.findings import Findings

        records = self._records()
        board = self._board(records)
        found = Findings.of(self.spec, board, records, self.card(), self.folder)
        try:
            report.write(to, found)
        except OSError as error:
            raise unwritable(to, error) from None

    def _records(self) -> list[TrialRecord]:
        search = self._opened(read_only=True)
        try:
            return search.records()
        finally:
            search.close()

    def card(self) -> DataCard:
        """What its prepared data hold."""
        from tuner.data.card import DataCard

        return DataCard.loads((self.folder / "data" / "card.json").read_text(encoding="utf-8"))

    def _board(self, records: Sequence[TrialRecord]) -> Leaderboard:
        return Leaderboard.of(
            self.spec,
            records,
            baselines=_read(self.folder / _BASELINES, {}),
            finals=_read(self.folder / FINALS, {}),
            repeats=Repeats.read(self.folder),
            built=built(self.spec, records, self.card),
        )

    def export(
        self,
        to: Path,
        *,
        trial: int | None = None,
        formats: Sequence[str] = (),
        streaming: bool = False,
        prune: float | None = None,
        max_loss: float = MAX_LOSS,
        licence: str = "",
    ) -> str:
        """Writes a model as a bundle, proven equal to the trained one; gives what to print.

        Args:
            to: the bundle's folder.
            trial: number of the one to take instead of the best.
            formats: those that the bundle is to hold besides ONNX, such as `int8`.
            streaming: have the graph take and give states, so that pieces equal the whole.
            prune: share of each weight matrix to set to 0 before training on.
            max_loss: share of the score on validation data that pruning, and each format that is
                not exact, may lose.
            licence: for the model card.

        Raises:
            CommandError: no such trial, none that is usable, an unknown format, a model that
                cannot stream, too much lost, or a folder that is something else.
            ExportMismatch: the exported model does not equal the trained one.
        """
        from tuner.export.model import export_model

        wanted = Wanted(
            trial=trial,
            formats=formats,
            streaming=streaming,
            prune=prune,
            max_loss=max_loss,
            licence=licence,
        )
        return export_model(self, to, wanted)

    def register(self, bundle: Path, model: str, alias: str = "best") -> str:
        """Puts an exported model into MLflow's registry; gives what to print.

        Args:
            bundle: the folder that `export` wrote.
            model: name of the registered model, whose next version it becomes.
            alias: points to that version from now on.

        Raises:
            InputError: a name that is none, or a server that does not take the model.
        """
        from tuner.export.register import check, register

        check(self, model, alias)
        return register(self, bundle, model, alias)

    def rerun(self, trial: int) -> str:
        """Trains a trial again from its record; gives what was found equal, to the last bit.

        Raises:
            CommandError: no such trial, or one that has not ended, or one that trained on a GPU.
            DataError: the data changed since the sweep began.
            NotReproduced: the trial is not the same again.
        """
        from tuner.rerun import rerun

        return rerun(self, trial)

    def sync(self) -> str:
        """Delivers what the tracking server has not got yet; gives what to tell the user.

        Raises:
            InputError: the server does not answer.
            NotDelivered: it did not take everything.
        """
        from tuner.tracking.sync import sync

        self.refuse_tracking()
        uri = self.home.tracking_uri(self.spec.tracking.uri)
        with lock.held(self.folder, self.spec.name):
            problem = sync(self.folder, uri)
        if problem:
            raise NotDelivered(f"{problem}; `tuner sync {self.spec.name}` goes on")
        return f"everything of {self.spec.name!r} is delivered"

    @contextmanager
    def _met(self, display: Display) -> Iterator[None]:
        """A cluster is joined and looked over before anything is made."""
        if self.cluster.entry is not None:
            display.message(f"joining the Ray at {self.cluster.entry}")
        with looked_over(self.spec, self.cluster, self.home.path):
            yield

    def _work(self, display: Display, offline: bool) -> Leaderboard:
        """Connect, search, score; every way out leaves the folder ready for `resume`."""
        set_environment(self.cluster)
        from tuner.confirm import Confirmation
        from tuner.final import FinalLanes
        from tuner.record import Recorder
        from tuner.tracking.tracker import Tracker

        began = time.monotonic()
        name = self.spec.name
        message = f"interrupted; `tuner resume {name}` goes on"
        # Ray takes the signals over when it starts, so what stops the search comes after it.
        with lock.held(self.folder, name), Interruption(message):
            uri = None if offline else self.home.tracking_uri(self.spec.tracking.uri)
            tracker = Tracker(uri, name, self.folder)
            search = self._opened()
            interruption = Interruption(message)
            recorder = Recorder(
                self.spec, self.folder, search, tracker, display, interruption.check
            )
            context = self.context
            try:
                recorder.open(self.card())
                if self.cluster.entry is None:
                    display.message("starting Ray")
                with connection(self.cluster) as joined, interruption:
                    planned(self.spec, joined.nodes())
                    room = Room(joined, context.resources, self.cluster.patience, display)
                    recorder.watch(room.check)
                    while True:
                        lanes = room.first()
                        display.message(f"training on {lanes}")
                        context = replace(context, resources=lanes.resources)
                        try:
                            with interruption.deferred():
                                self._search(search, recorder, context, lanes.lanes, began)
                            break
                        except FewerWorkers as fewer:
                            # Unfinished trials go on from their checkpoints, as after `resume`.
                            display.message(str(fewer))
                    interruption.check()
                    records = search.records()
                    confirmation = Confirmation(
                        self.spec, self.folder, records, self._deadline(began), display
                    )
                    with FinalLanes(context, lanes.lanes) as final_lanes:
                        confirmation.run(final_lanes)
                        self._score(records, confirmation, final_lanes, display)
                    confirmation.clean()
                board = self._board(search.records())
                write_text(self.folder / "leaderboard.csv", to_csv(board))
                recorder.close(board)
                display.message("delivering to MLflow")
                tracker.start()
                tracker.flush(FLUSH_SECONDS)
            except BaseException as stopped:
                goes_on = isinstance(stopped, Interrupted | NoRoom | StudyUnreachable)
                recorder.abandon("KILLED" if goes_on else "FAILED")
                raise
            finally:
                search.close()
                tracker.close(5.0)
            write_text(self.folder / _FINISHED, json.dumps({"seconds": time.monotonic() - began}))
        return board

    def _search(
        self, search: Search, recorder: Recorder, context: Context, lanes: int, began: float
    ) -> None:
        """Trains until the budget is spent."""
        if search.unfinished() or search.num_suggested < self.spec.search.trials:
            self._tune(search, recorder, context, lanes, began)
        recorder.settle()
        if not any(r.outcome and r.outcome.usable for r in search.records()):
            raise SweepFailed(_why_all_failed(search.records()))

    def _tune(
        self, search: Search, recorder: Recorder, context: Context, lanes: int, began: float
    ) -> None:
        """Runs Ray Tune, whose state is thrown away."""
        # Under any search algorithm Tune prepares one trial at a time, which leaves lanes idle.
        os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(lanes)
        from ray import tune

        from tuner.confirm import SearchClock
        from tuner.search.tune import TuneScheduler, TuneSearcher, skip_telemetry
        from tuner.trainable import LaneTrainable

        is_over = SearchClock(self.spec, search.records, lanes, self._deadline(began))
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
                    scheduler=TuneScheduler(search, searcher, is_over, lanes),
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
        finally:
            # Tune's own state is disposable: the study and the checkpoints are the truth.
            shutil.rmtree(scratch, ignore_errors=True)

    def _deadline(self, began: float) -> float | None:
        hours = self.spec.search.hours
        return None if hours is None else began + 3600 * hours

    def _score(
        self,
        records: Sequence[TrialRecord],
        confirmation: Confirmation,
        lanes: FinalLanes,
        display: Display,
    ) -> None:
        """Scores the winner, the default and all fresh seeds on the test split, once each for all
        time."""
        from tuner.final import Scores

        card = self.card()
        if not card.num_sequences.get("test"):
            return
        best = self._board(records).best
        wanted = {0} if best is None else {0, best.number}
        scores = Scores(self.folder, folds=card.num_folds > 0)
        own = scores.missing([record for record in records if record.number in wanted])
        if own:
            numbers = " and ".join(str(final.record.number) for final, _ in own)
            display.message(f"scoring the final models of trials {numbers} on the test data")
        seeds = confirmation.untested()
        calls = [scores.call(*each, scores.keep) for each in own]
        calls += [scores.call(*each, confirmation.tested) for each in seeds]
        lanes.do(calls, len(calls))

    def _create(self, display: Display) -> None:
        """Makes the sweep's folder in one rename, so that a mistake in the data leaves nothing."""
        from tuner import registry, sources
        from tuner.baselines import baselines
        from tuner.data.prepare import prepare
        from tuner.memory import too_large

        module = registry.get("tasks", self.spec.task["name"])
        temporary = self.home.unfinished(self.spec.name)
        made_home = not self.home.path.exists()
        try:
            display.message("preparing the data")
            temporary.mkdir(parents=True)
            card = prepare(
                self.spec.data,
                module.data(module.Config(**self.spec.task)),
                self.spec.root,
                temporary / "data",
                self.spec.search.seed,
            )
            # Nobody knows how much memory the nodes of a cluster have.
            if self.cluster.entry is None and (
                mistake := too_large(self.spec, card, planned(self.spec))
            ):
                raise PlanError(mistake)
            sources.keep(self.spec, self.home, temporary / "data")
            if self.cluster.entry is not None:
                self._take_parts_along(temporary)
            for warning in [*map(str, self.spec.warnings), *card.warnings]:
                display.warning(warning)
            found = baselines(self.spec, temporary / "data")
            (temporary / "trials").mkdir()
            write_text(temporary / _BASELINES, json.dumps(found, indent=1))
            versions.keep(temporary)
            write_text(temporary / SPEC, json.dumps(self.spec.to_data(), indent=1))
            temporary.rename(self.folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            if made_home:
                self.home.path.rmdir()
            raise

    def _take_parts_along(self, folder: Path) -> None:
        """The nodes of a cluster need not see the spec's folder."""
        from tuner import parts

        if not (folder / PARTS).exists():
            parts.keep(self.spec.root, folder / PARTS)

    def _refuse_other(self) -> None:
        """A sweep of this name must be this sweep, finished."""
        if self.status == "new":
            if self.folder.exists():
                raise CommandError(
                    Mistake(
                        code="sweep/folder",
                        rule="a sweep's folder must be new",
                        where=str(self.folder),
                        got="something that is not a sweep",
                        fix="Move it away, or take another `--name`.",
                    )
                )
            return
        # What an older version did not know reads as its default.
        frozen = SweepSpec.from_data(json.loads((self.folder / SPEC).read_text(encoding="utf-8")))
        name = self.spec.name
        if changed := differences(_plain(frozen), _plain(self.spec)):
            raise CommandError(
                Mistake(
                    code="sweep/changed",
                    rule=f"the sweep {name!r} must be run with the spec it began with",
                    where="the spec",
                    got="; ".join(changed[:10]),
                    fix="Take another `--name`; for more trials, "
                    f"`tuner resume {name} --trials +N`.",
                )
            )
        if self.status == "running":
            with lock.held(self.folder, name):
                return
        if self.status == "interrupted":
            raise CommandError(
                Mistake(
                    code="sweep/interrupted",
                    rule="an interrupted sweep must be resumed",
                    where=f"the sweep {name!r}",
                    got="the same spec again",
                    fix=f"Run `tuner resume {name}`.",
                )
            )

    def _refuse(self, offline: bool) -> None:
        """Met before anything is made: servers that do not answer."""
        self.refuse_tracking(offline)
        self._refuse_storage()

    def refuse_tracking(self, offline: bool = False) -> None:
        """Raises `InputError` where the tracking address is wrong, or does not answer."""
        from tuner.tracking.uri import check_uri, reachable

        uri = self.home.tracking_uri(self.spec.tracking.uri)
        mistakes = check_uri(uri)
        if not mistakes and not offline and not uri.startswith("sqlite"):
            mistakes = [m for m in [reachable(uri)] if m is not None]
        if mistakes:
            raise InputError(mistakes)

    def _refuse_storage(self) -> None:
        """The study cannot be searched without, so no `offline` helps."""
        if (url := self.spec.search.storage) is not None:
            from tuner.search.database import trouble

            if (mistake := trouble(url)) is not None:
                raise InputError(mistake)

    def refuse_changed_data(self) -> None:
        """Raises `DataError` where the raw files are not what they were when the sweep began."""
        from tuner.data.prepare import changed_files
        from tuner.errors import DataError

        if mistakes := changed_files(self.card(), self.spec.root):
            raise DataError(mistakes)

    def _opened(self, *, read_only: bool = False) -> Search:
        from tuner.search.study import Search

        spec = self.spec
        return Search(
            spec.space,
            spec.search,
            self.folder,
            "maximize" if spec.maximize else "minimize",
            spec.max_epochs,
            objectives=spec.objectives,
            constraints=spec.constraints,
            read_only=read_only,
        )


def _trial_name(trial: Any) -> str:
    return f"trial-{trial.config['number']:04d}-{trial.trial_id}"


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


def _plain(spec: SweepSpec) -> Any:
    """As it is read back from a file: lists for tuples."""
    return json.loads(json.dumps(spec.to_data()))


def _read(path: Path, absent: Any) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else absent
