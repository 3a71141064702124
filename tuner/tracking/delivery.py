"""Turns records into calls of MLflow, each of which may be repeated without harm."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.tracking.batch import Batch
from tuner.tracking.client import connect, translated
from tuner.tracking.faults import MAX_LINE_LENGTH, Refused, Unreachable
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
)
from tuner.tracking.run_ids import RunIds
from tuner.tracking.uri import database_path, redact

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput

KEY_TAG = "tuner.key"
"""Tag that names a run for ever: `<sweep's uid>/<key>`."""

_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Opens the UI on training runs, where it otherwise shows what belongs to language models."""

_MAX_DIGEST_LENGTH = 36


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
        self._experiment = experiment
        self._folder = folder
        self._artifact_root = artifact_root
        self._run_ids = run_ids
        self._refuse = refuse
        self._client: MlflowClient | None = None
        self._experiment_id = ""
        self._doubtful = set(known)
        self._doubts_all = False
        self.refused: str | None = None
        """The last refusal, in one line."""

    def deliver(self, entries: list[Entry]) -> None:
        """Send entries, run by run, in order within each; repeat them as a whole if this raises.

        Raises:
            Unreachable: the server did not answer, or not as expected.
        """
        if self._client is None:
            self._client = self._open()
        by_key: dict[str, list[RunRecord]] = {}
        for entry in entries:
            if not isinstance(entry.record, Header):
                by_key.setdefault(entry.record.key, []).append(entry.record)
        for key, records in by_key.items():
            batch = Batch()
            for record in records:
                if isinstance(record, Metrics | Params | Tags):
                    batch.take(record)
                    continue
                if isinstance(record, RunEnded):
                    # One call for all that was told of a run, before it is closed.
                    self._send(key, batch)
                    batch = Batch()
                self._act(record)
            self._send(key, batch)

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

    def _send(self, key: str, batch: Batch) -> None:
        for part in batch.parts():
            run_id = self._run_ids.get(key) or self._make(key, None)[0]
            try:
                self._log(run_id, part)
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

    def _act(self, record: RunStarted | Artifact | Dataset | RunEnded) -> None:
        """Send one record that has a call of its own."""
        run_id, is_new = self._run_ids.get(record.key), False
        if run_id is None:
            started = record if isinstance(record, RunStarted) else None
            run_id, is_new = self._make(record.key, started)
        try:
            match record:
                case RunStarted() if is_new:
                    pass  # MLflow makes it RUNNING
                case RunStarted():
                    with translated():
                        self._mlflow.update_run(run_id, status="RUNNING")
                case RunEnded():
                    with translated():
                        self._mlflow.set_terminated(run_id, record.status, record.time_ms)
                case Dataset():
                    with translated():
                        self._mlflow.log_inputs(run_id, datasets=[_dataset_input(record)])
                case Artifact():
                    self._upload(run_id, record)
        except Refused as refused:
            self._give_up(record.key, record.kind, refused)

    def _make(self, key: str, started: RunStarted | None) -> tuple[str, bool]:
        """A run that has no id on file: found by its tag if it may exist, else created.

        Returns:
            Its id, and whether it was created.
        """
        tag = f"{self._run_ids.uid}/{key}"
        try:
            with translated():
                doubtful = self._doubts_all or key in self._doubtful
                self._doubtful.add(key)
                found = self._find(tag) if doubtful else None
                run_id = found or self._create(key, tag, started)
        except Refused as refused:
            raise Unreachable(str(refused)) from refused
        self._run_ids.add(key, run_id)
        return run_id, found is None

    def _find(self, tag: str) -> str | None:
        found = self._mlflow.search_runs(
            [self._experiment_id],
            f"tags.`{KEY_TAG}` = '{tag}'",
            max_results=1,
            order_by=["attributes.start_time ASC"],
        )
        return str(found[0].info.run_id) if found else None

    def _create(self, key: str, tag: str, started: RunStarted | None) -> str:
        tags = {KEY_TAG: tag}
        parent = None
        if started is not None and started.parent is not None:
            known = self._run_ids.get(started.parent)
            parent = known or self._find(f"{self._run_ids.uid}/{started.parent}")
        if parent is not None:
            tags["mlflow.parentRunId"] = parent
        run = self._mlflow.create_run(
            self._experiment_id,
            start_time=started.time_ms if started else None,
            tags=tags,
            run_name=started.name if started else key,
        )
        return str(run.info.run_id)

    def _upload(self, run_id: str, record: Artifact) -> None:
        path = self._folder / record.path
        if not path.exists():
            raise Refused(f"{path} is gone")
        for file, below in _files(path):
            place = "/".join(part for part in (record.folder, below) if part)
            try:
                self._mlflow.log_artifact(run_id, str(file), place or None)
            except Exception as error:
                # S3, GCS, Azure and plug-ins raise families of their own, from packages that need
                # not be installed. All of them mean: not now.
                raise Unreachable(f"{file.name}: {error}") from error


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


def _dataset_input(record: Dataset) -> DatasetInput:
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
