"""Run and resume: joins spec, data, search, lanes and tracking into one sweep."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.spec import ClusterSpec
from tuner import cluster_file, copies, lock
from tuner.context import Context
from tuner.create import create, take_parts_along
from tuner.errors import NotDelivered
from tuner.export.wanted import MAX_LOSS, Wanted
from tuner.files import write_text
from tuner.home import BASELINES, BUDGET, FINALS, FINISHED, PARTS, SPEC, Home
from tuner.nodes import looked_over, resources
from tuner.refusals import (
    refuse_changed_data,
    refuse_other,
    refuse_silent_servers,
    refuse_tracking,
)
from tuner.repeats import Repeats
from tuner.results.built import built
from tuner.results.leaderboard import Leaderboard
from tuner.results.live import Display, Silent
from tuner.results.tables import unwritable
from tuner.spec import SweepSpec
from tuner.spec_reader import load
from tuner.work import Work

if TYPE_CHECKING:
    from tuner.data.card import DataCard
    from tuner.search.records import TrialRecord
    from tuner.search.study import Search


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
        refuse_other(sweep)
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
        if where is not None and where.objects and name not in place.sweeps():
            copies.fetch(place, name, where.objects)
        folder = place.existing(name)
        spec = SweepSpec.from_data(json.loads((folder / SPEC).read_text(encoding="utf-8")))
        if (folder / BUDGET).exists():
            spec = spec.with_budget(**json.loads((folder / BUDGET).read_text(encoding="utf-8")))
        return cls(spec, place, where)

    @property
    def cluster(self) -> ClusterSpec:
        """Where it runs: by the cluster file, else the Ray at RAY_ADDRESS, else this machine.

        Raises:
            ClusterError: RAY_ADDRESS is no address.
        """
        return self._cluster or cluster_file.from_environment()

    @property
    def objects(self) -> str | None:
        """URI of the object store that its nodes share; None where they share a disk."""
        return copies.place_of(self.folder, self.cluster.objects)

    @property
    def finished(self) -> bool:
        """Whether its budget is spent and its final models are scored."""
        return (self.folder / FINISHED).exists()

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
            stall_seconds=self.spec.resources.stall_seconds,
        )

    def run(self, display: Display | None = None, *, offline: bool = False) -> Leaderboard:
        """Prepares the data, trains all trials, scores the final models.

        Raises:
            InputError: data, machines or tracking cannot serve this sweep; nothing was created.
            SweepFailed: no trial gave a usable model.
            Interrupted: by a signal; `resume` goes on.
        """
        if self.status != "new":
            refuse_other(self)
            return self.leaderboard()
        display = display or Silent()
        with self._met(display):
            refuse_silent_servers(self, offline=offline)
            create(self, display)
            with lock.held(self.folder, self.spec.name):
                return Work(self, display).run(offline=offline)

    def prepare(self, display: Display | None = None, *, offline: bool = False) -> None:
        """Checks what can be checked from outside a cluster, and makes the sweep's folder, for
        `resume` to run.

        Raises:
            InputError: as `run`.
        """
        display = display or Silent()
        with self._met(display) if self.cluster.entry is None else nullcontext():
            refuse_silent_servers(self, offline=offline)
            create(self, display)

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
            confirm: of the best configurations so many are trained again on fresh seeds; asked of
                a finished sweep without a larger budget, it is all that is done.

        Raises:
            CommandError: another process runs it.
            DataError: the data changed since the sweep began.
            SweepFailed, Interrupted: as `run`.
        """
        if self.finished and not more_trials and confirm is None:
            return self.leaderboard()
        display = display or Silent()
        searches = not self.finished or bool(more_trials or hours)
        with self._met(display):
            refuse_silent_servers(self, offline=offline)
            refuse_changed_data(self)
            with lock.held(self.folder, self.spec.name):
                if more_trials or hours or confirm is not None:
                    total = self.spec.search.trials + (more_trials or 0)
                    self.spec = self.spec.with_budget(trials=total, hours=hours, confirm=confirm)
                    search = self.spec.search
                    budget = {"trials": total, "hours": search.hours, "confirm": search.confirm}
                    write_text(self.folder / BUDGET, json.dumps(budget))
                if self.cluster.entry is not None:
                    take_parts_along(self, self.folder)
                (self.folder / FINISHED).unlink(missing_ok=True)
                # The search ranks alone until it is over again.
                replace(Repeats.read(self.folder), candidates=()).write(self.folder)
                return Work(self, display, searches=searches).run(offline=offline)

    def leaderboard(self) -> Leaderboard:
        """The trials as they stand, ranked on validation data."""
        return self.board(self._records())

    def report(self, to: Path) -> None:
        """Writes one page that needs nothing else: what was found, what it cost, how to repeat it.

        Raises:
            CommandError: the file cannot be written.
        """
        from tuner.results import report
        from tuner.results.report.findings import Findings

        records = self._records()
        board = self.board(records)
        found = Findings.of(self.spec, board, records, self.card(), self.folder)
        try:
            report.write(to, found)
        except OSError as error:
            raise unwritable(to, error) from None

    def _records(self) -> list[TrialRecord]:
        search = self.study(read_only=True)
        try:
            return search.records()
        finally:
            search.close()

    def card(self) -> DataCard:
        """What its prepared data hold."""
        from tuner.data.card import DataCard
        from tuner.data.store import CARD

        return DataCard.loads((self.folder / "data" / CARD).read_text(encoding="utf-8"))

    def baselines(self) -> dict[str, dict[str, dict[str, float]]]:
        """Split → naive baseline → metrics."""
        found: dict[str, dict[str, dict[str, float]]] = _read(self.folder / BASELINES, {})
        return found

    def finals(self) -> dict[str, dict[str, float]]:
        """Trial's number as text → metrics on test data, of trials' own final models."""
        found: dict[str, dict[str, float]] = _read(self.folder / FINALS, {})
        return found

    def board(self, records: Sequence[TrialRecord]) -> Leaderboard:
        """What a study's records make of its trials."""
        return Leaderboard.of(
            self.spec,
            records,
            baselines=self.baselines(),
            finals=self.finals(),
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

        refuse_tracking(self)
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
        with looked_over(self.spec, self.cluster, self.home.path, self.objects):
            yield

    def study(self, *, read_only: bool = False) -> Search:
        """Its study, opened; whoever opens it closes it."""
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


def _read(path: Path, absent: Any) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else absent
