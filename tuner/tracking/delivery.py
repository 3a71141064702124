"""Turns records into calls of MLflow, each of which may be repeated without harm."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.tracking.batch import Batch
from tuner.tracking.changes import Change, NewRun
from tuner.tracking.client import connect, translated
from tuner.tracking.faults import MAX_LINE_LENGTH, Refused, Unreachable
from tuner.tracking.parallel import in_parallel
from tuner.tracking.records import (
    Artifact,
    Dataset,
    Entry,
    Header,
    Metrics,
    Params,
    RunEnded,
    RunRecord,
    RunStarted,
    Tags,
    View,
)
from tuner.tracking.run_ids import RunIds
from tuner.tracking.uri import database_path, redact
from tuner.tracking.views import EXPERIMENT, NOTE, TAG, saved

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

    from tuner.tracking.database import Database

KEY_TAG = "tuner.key"
"""Tag that names a run for ever: `<sweep's uid>/<key>`."""

_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Opens the UI on training runs, where it otherwise shows what belongs to language models."""

_MAX_DIGEST_LENGTH = 36

IN_FLIGHT = 4
"""Requests under way at a time: a server of several workers answers each after 40 ms of waiting."""

_ByKey = dict[str, list[RunRecord]]


class Delivery:
    """Sends records to one experiment of one server.

    Args:
        uri: the server's address, secrets included.
        experiment: found or made at the first delivery.
        folder: the sweep's folder, which artifacts' paths are relative to.
        artifact_root: for a new experiment; None leaves it to the server, or to the folder beside
            a SQLite database.
        run_ids: looked up and added to.
        known: keys of runs that earlier processes recorded, and so may have made.
        refuse: told key, names and reason of everything that the server will never take.
    """

    def __init__(
        self,
        *,
        uri: str,
        experiment: str,
        folder: Path,
        artifact_root: str | None,
        run_ids: RunIds,
        known: Iterable[str],
        refuse: Callable[[str, str, str], None],
    ) -> None:
        self._uri = uri
        self._is_server = uri.startswith("http")
        self._experiment = experiment
        self._folder = folder
        self._artifact_root = artifact_root
        self._run_ids = run_ids
        self._refuse = refuse
        self._client: MlflowClient | None = None
        self._database: Database | None = None
        self._experiment_id = ""
        self._artifact_uris: dict[str, str] = {}
        self._doubtful = set(known)
        self._doubts_all = False
        self.refused: str | None = None
        """The last refusal, in one line."""

    def deliver(self, entries: list[Entry]) -> None:
        """Send entries, in order within each run; repeat them as a whole if this raises.

        Raises:
            Unreachable: the server did not answer, or not as expected.
        """
        if self._client is None:
            self._client = self._open()
            self._database = None if self._is_server else _database(self._client)
        by_key: dict[str, list[RunRecord]] = {}
        for entry in entries:
            if not isinstance(entry.record, Header):
                by_key.setdefault(entry.record.key, []).append(self._linked(entry.record))
        self._make_all(by_key)
        self._each(by_key, self._attach)
        # A run is closed last, when all that was told of it is there.
        if self._database is None or not self._database.write(self._changes(by_key)):
            self._each(by_key, self._tell)

    def forget(self) -> None:
        """Believe nothing that the server once said: look up each run, and the experiment."""
        self._run_ids.forget()
        self._doubts_all = True
        self._client = None

    def _give_up(self, key: str, what: str, refused: Refused) -> None:
        reason = redact(str(refused))
        self._refuse(key, what, reason)
        self.refused = f"MLflow refused {what} of {key}: {reason}"[:MAX_LINE_LENGTH]

    @property
    def _mlflow(self) -> MlflowClient:
        assert self._client is not None, "deliver() opens it"
        return self._client

    def _open(self) -> MlflowClient:
        try:
            with translated():
                client = connect(self._uri)
                found = client.get_experiment_by_name(self._experiment)
                if found is None:
                    root = self._artifact_root or _artifacts_beside(self._uri)
                    self._experiment_id = client.create_experiment(
                        self._experiment, root, tags=_KIND
                    )
                else:
                    self._experiment_id = found.experiment_id
        except Refused as refused:
            # Nothing of ours was in the call: the server or its database is what is wrong.
            raise Unreachable(str(refused)) from refused
        if found is not None and found.lifecycle_stage == "deleted":
            raise Unreachable(f"experiment {self._experiment!r} was deleted: restore it in MLflow")
        return client

    def _each(self, by_key: _ByKey, act: Callable[[str, list[RunRecord]], None]) -> None:
        """Do something for every run: in a server for several at a time, in a database in turn."""
        width = IN_FLIGHT if self._is_server else 1
        in_parallel([partial(act, *item) for item in by_key.items()], width)

    def _make_all(self, by_key: _ByKey) -> None:
        """Give every run an id, parents first; the start of one that is new has then been told."""
        missing = {key: recs for key, recs in by_key.items() if self._run_ids.get(key) is None}
        while missing:
            wave = {
                key: records
                for key, records in missing.items()
                if (start := _start(records)) is None or start.parent not in missing
            }
            assert wave, "a run opens after its parent, so that no two are each other's"
            if self._database is not None:
                self._make_together(self._database, wave)
            alone = {key: wave[key] for key in wave if self._run_ids.get(key) is None}
            self._each(alone, self._make)
            missing = {key: missing[key] for key in missing if key not in wave}

    def _make_together(self, database: Database, by_key: _ByKey) -> None:
        """Find those that may exist, and make the others, in one go each."""
        if doubtful := {self._tag(key): key for key in by_key if self._doubts(key)}:
            found = database.find(self._experiment_id, KEY_TAG, doubtful)
            if found:
                self._run_ids.add({doubtful[tag]: run_id for tag, run_id in found.items()})
        starts = {
            key: start
            for key, records in by_key.items()
            if self._run_ids.get(key) is None and (start := _start(records)) is not None
        }
        new = {
            key: NewRun(name=start.name, start_ms=start.time_ms, tags=self._tags(key, start))
            for key, start in starts.items()
        }
        self._doubtful.update(new)
        places = database.make(self._experiment_id, new.values()) if new else None
        if places is not None:
            self._run_ids.add({key: run.run_id for key, run in new.items()})
            self._artifact_uris |= places
            for key, start in starts.items():
                by_key[key].remove(start)

    def _make(self, key: str, records: list[RunRecord]) -> None:
        """Find a run that may exist by its tag, else create it."""
        start = _start(records)
        try:
            with translated():
                run_id = self._find(key) if self._doubts(key) else None
                self._doubtful.add(key)
                if run_id is None:
                    run_id = self._create(key, start)
                    if start is not None:
                        records.remove(start)
        except Refused as refused:
            raise Unreachable(str(refused)) from refused
        self._run_ids.add({key: run_id})

    def _find(self, key: str) -> str | None:
        found = self._mlflow.search_runs(
            [self._experiment_id],
            f"tags.`{KEY_TAG}` = '{self._tag(key)}'",
            max_results=1,
            order_by=["attributes.start_time ASC"],
        )
        return str(found[0].info.run_id) if found else None

    def _create(self, key: str, start: RunStarted | None) -> str:
        run = self._mlflow.create_run(
            self._experiment_id,
            start_time=start.time_ms if start else None,
            tags=self._tags(key, start),
            run_name=start.name if start else key,
        )
        self._artifact_uris[run.info.run_id] = run.info.artifact_uri
        return str(run.info.run_id)

    def _doubts(self, key: str) -> bool:
        """Whether a run may exist although its id is not on file."""
        return self._doubts_all or key in self._doubtful

    def _tag(self, key: str) -> str:
        return f"{self._run_ids.uid}/{key}"

    def _tags(self, key: str, start: RunStarted | None) -> dict[str, str]:
        """What a run carries from the first."""
        tags = {KEY_TAG: self._tag(key)}
        if start is not None and start.parent is not None:
            parent = self._run_ids.get(start.parent) or self._find(start.parent)
            if parent is not None:
                tags["mlflow.parentRunId"] = parent
        return tags

    def _changes(self, by_key: _ByKey) -> dict[str, Change]:
        """All that was told of each run, by its id."""
        changes = {}
        for key, records in by_key.items():
            change = changes[self._run_id(key)] = Change()
            for record in records:
                match record:
                    case Metrics() | Params() | Tags():
                        change.batch.take(record)
                    case RunStarted():
                        change.status = "RUNNING"
                    case RunEnded():
                        change.status, change.end_ms = record.status, record.time_ms
        return changes

    def _tell(self, key: str, records: list[RunRecord]) -> None:
        """The same for one run in MLflow's own calls, which say what they refuse."""
        run_id, batch = self._run_id(key), Batch()
        for record in records:
            match record:
                case Metrics() | Params() | Tags():
                    batch.take(record)
                case RunStarted() | RunEnded():
                    # One call for all that was told of a run, before it is closed.
                    self._send(key, batch)
                    batch = Batch()
                    self._turn(run_id, record)
        self._send(key, batch)

    def _turn(self, run_id: str, record: RunStarted | RunEnded) -> None:
        """Open a run again, or close it."""
        try:
            with translated():
                if isinstance(record, RunEnded):
                    self._mlflow.set_terminated(run_id, record.status, record.time_ms)
                else:
                    self._mlflow.update_run(run_id, status="RUNNING")
        except Refused as refused:
            self._give_up(record.key, record.kind, refused)

    def _send(self, key: str, batch: Batch) -> None:
        for part in batch.parts():
            try:
                self._log(self._run_id(key), part)
            except Refused as refused:
                # What is refused must not take the rest with it: kinds apart, then halves.
                pieces = part.kinds()
                if len(pieces) == 1:
                    pieces = part.halves()
                if len(pieces) == 1:
                    self._give_up(key, part.names(), refused)
                    continue
                for piece in pieces:
                    self._send(key, piece)

    def _log(self, run_id: str, part: Batch) -> None:
        from mlflow.entities import Metric, Param, RunTag

        with translated():
            self._mlflow.log_batch(
                run_id,
                metrics=[Metric(p.name, p.value, p.time_ms, p.step) for p in part.metrics],
                params=[Param(name, text) for name, text in part.params.items()],
                tags=[RunTag(name, text) for name, text in part.tags.items()],
                synchronous=True,
            )

    def _linked(self, record: RunRecord) -> RunRecord:
        """A description with the experiment's id in its links; anything else as it is."""
        if not isinstance(record, Tags) or NOTE not in record.values:
            return record
        note = record.values[NOTE].replace(EXPERIMENT, self._experiment_id)
        return replace(record, values=record.values | {NOTE: note})

    def _attach(self, key: str, records: list[RunRecord]) -> None:
        """Send a run's files, what is known of its data, and the views that it tells of."""
        run_id = self._run_id(key)
        for record in records:
            try:
                if isinstance(record, Artifact):
                    self._upload(run_id, record)
                elif isinstance(record, Dataset):
                    with translated():
                        self._mlflow.log_inputs(run_id, datasets=[dataset_input(record)])
                elif isinstance(record, View):
                    with translated():
                        self._mlflow.set_experiment_tag(
                            self._experiment_id,
                            TAG + record.id,
                            saved(record.name, record.state, record.time_ms),
                        )
            except Refused as refused:
                self._give_up(key, record.kind, refused)

    def _upload(self, run_id: str, record: Artifact) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        path = self._folder / record.path
        if not path.exists():
            raise Refused(f"{path} is gone")
        if run_id not in self._artifact_uris:
            with translated():
                self._artifact_uris[run_id] = self._mlflow.get_run(run_id).info.artifact_uri
        for file, below in _files(path):
            place = "/".join(part for part in (record.folder, below) if part)
            try:
                repository = get_artifact_repository(self._artifact_uris[run_id], self._uri)
                repository.log_artifact(str(file), place or None)  # type: ignore[no-untyped-call]
            except Exception as error:
                # S3, GCS, Azure and plug-ins raise families of their own, from packages that need
                # not be installed. All of them mean: not now.
                raise Unreachable(f"{file.name}: {error}") from error

    def _run_id(self, key: str) -> str:
        run_id = self._run_ids.get(key)
        assert run_id is not None, "_make_all() comes first"
        return run_id


def _database(client: MlflowClient) -> Database | None:
    """Imported as late as mlflow."""
    from tuner.tracking.database import Database

    return Database.behind(client)


def _start(records: list[RunRecord]) -> RunStarted | None:
    """The first that tells of a run's start."""
    return next((record for record in records if isinstance(record, RunStarted)), None)


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """The regular files of an artifact, with the folder of each below it; links are left out."""
    if path.is_file() and not path.is_symlink():
        yield path, ""
    for folder, _, files in os.walk(path, followlinks=False):
        for name in sorted(files):
            file = Path(folder) / name
            if file.is_file() and not file.is_symlink():
                below = file.parent.relative_to(path).as_posix()
                yield file, "" if below == "." else below


def _artifacts_beside(uri: str) -> str | None:
    database = database_path(uri)
    return (database.absolute().parent / "artifacts").as_uri() if database else None


def dataset_input(record: Dataset) -> DatasetInput:
    """A record of data as MLflow's own."""
    from mlflow.entities import Dataset as Entity
    from mlflow.entities import DatasetInput, InputTag

    return DatasetInput(
        dataset=Entity(
            name=record.name,
            digest=record.digest[:_MAX_DIGEST_LENGTH],
            source_type="local",
            source=json.dumps({"uri": record.source}),
            schema=record.schema or None,
            profile=record.profile or None,
        ),
        tags=[InputTag("mlflow.data.context", "training")],
    )
